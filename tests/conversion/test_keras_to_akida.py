"""Quantization takes every grid from training and none from its samples; conversion drops nothing."""

import akida
import cnn2snn
import conversions
import pytest
import quantizeml
import small_networks
import tf_keras as keras
import torch

from qana.backbone.unit import ConvUnit, HeadUnit, SeparableUnit
from qana.conversion.keras_to_akida import convert_keras
from qana.conversion.ladder_job import require_coverage
from qana.errors import QanaError
from qana.quantization import Quantization

VARIABLES = {1: {"weights", "threshold", "act_step"}, 2: {"weights", "bias", "output_scales", "output_shift"}}


def variables(program):
    """Every array of a program; Keras counts the dequantizers of a process, so their names differ."""
    found = {}
    for layer in program.layers:
        place = layer.name if layer.name.startswith("layer") else layer.parameters.layer_type
        found |= {f"{place}.{name}": layer.variables[name] for name in layer.variables.names}
    return found


@pytest.mark.parametrize(("family", "generation"), [("qana", 1), ("akidanet", 2)])
def test_samples_do_not_change_a_bit_of_the_program(converted, tmp_path, family, generation):
    known = converted(family, generation, 4)
    dark = conversions.images(5, seed=9) // 32
    again = conversions.convert(known.network, tmp_path, samples=dark)
    expected = variables(akida.Model(str(known.program_path)))
    found = variables(akida.Model(str(again.program_path)))

    assert {name.rsplit(".", 1)[1] for name in expected} >= VARIABLES[generation]
    assert list(found) == list(expected)
    changed = [name for name in expected if found[name].tobytes() != expected[name].tobytes()]
    assert changed == []


@pytest.mark.parametrize(("generation", "version"), [(1, akida.IpVersion.v1), (2, akida.IpVersion.v2)])
def test_program_is_of_the_generation_that_was_asked_for(converted, generation, version):
    program = akida.Model(str(converted("qana", generation, 4).program_path))
    assert program.ip_version == version
    assert cnn2snn.get_akida_version() == cnn2snn.AkidaVersion.v2  # the SDK's default is back


def gated_network():
    """A channel gate on a feature map: cnn2snn says it is fine and drops whatever comes behind it."""
    pixels = keras.Input((16, 16, 3), dtype="uint8")
    x = keras.layers.Rescaling(1.0)(pixels)
    x = keras.layers.ReLU(6.0)(keras.layers.Conv2D(8, 3, strides=2, padding="same")(x))
    gate = keras.layers.Activation("sigmoid")(keras.layers.Conv2D(8, 1, name="gate")(x))
    x = keras.layers.Multiply()([x, gate])
    x = keras.layers.ReLU(6.0)(keras.layers.Conv2D(8, 3, padding="same")(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(pixels, keras.layers.Dense(4)(x))


def test_network_whose_end_would_be_cut_is_refused():
    bits = quantizeml.layers.QuantizationParams(weight_bits=8, activation_bits=8)
    with conversions.quiet():
        quantized = quantizeml.models.quantize(gated_network(), qparams=bits, num_samples=1)
    with pytest.raises(QanaError, match=r"refuses the network.*(stops|ignored)") as refusal:
        convert_keras(quantized, generation=2)
    assert "conversion" in refusal.value.where


def test_layer_that_is_missing_from_the_program_is_named(converted):
    known = converted("qana", 2, 8)
    program = akida.Model(str(known.program_path))
    require_coverage(program, known.plan)
    program.pop_layer()  # the dequantizer
    program.pop_layer()
    with pytest.raises(
        QanaError, match=rf"left out 1 of {len(known.plan)} trained layers: {known.plan[-1].module}"
    ):
        require_coverage(program, known.plan)


def test_network_with_a_dead_channel_is_refused_on_generation_1(tmp_path):
    """The SDK would cut its step and round the next layer's weights down, without a word."""
    float_network = small_networks.alone(
        ConvUnit(3, 8, kernel_size=3, stride=2, bound=1.0, input_scale=1 / 255),
        SeparableUnit(8, 12, stride=2, bound=1.0, pool="global_before_relu"),
        HeadUnit(12, 3),
    )
    pixels = small_networks.pixels(8, conversions.HEIGHT, conversions.WIDTH)
    scheme = Quantization(
        weight_bits=4, activation_bits=4, input_weight_bits=8, generation=1, calibration_images=8
    )
    network = scheme.apply(small_networks.settled(float_network, images=pixels), pixels).eval()
    with torch.no_grad():
        network.units()[1].unit.conv.weight[5] = 0.0
    with pytest.raises(QanaError, match="layer_1: activation step above 65535 in 1 of 12 channels"):
        conversions.convert(network, tmp_path)
