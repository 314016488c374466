"""Quantization takes every grid from training and none from its samples; conversion drops nothing."""

from contextlib import nullcontext

import akida
import cnn2snn
import conversions
import pytest
import quantizeml
import small_networks
import tf_keras as keras
import torch
from quantizeml.layers.recorders import TensorRecorder

from qana.backbone.unit import ConvUnit, HeadUnit, SeparableUnit
from qana.conversion.keras_to_akida import (
    akida_generation,
    convert_keras,
    require_per_tensor,
    require_same_network,
)
from qana.conversion.quick_recorders import quick_recorders
from qana.errors import QanaError

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
        with pytest.raises(QanaError, match=r"changed the network during conversion: .*ignored") as refusal:
            convert_keras(quantized, generation=2)
    assert "conversion" in refusal.value.where


def padded_network():
    """torch's symmetric padding at stride 2, as Keras would write it."""
    pixels = keras.Input((16, 16, 3), dtype="uint8")
    x = keras.layers.Rescaling(1.0)(pixels)
    x = keras.layers.ReLU(6.0)(keras.layers.Conv2D(4, 3, padding="same", name="stem")(x))
    x = keras.layers.ZeroPadding2D(1, name="pad")(x)
    x = keras.layers.ReLU(6.0)(keras.layers.Conv2D(4, 3, strides=2, padding="valid", name="strided")(x))
    return keras.Model(pixels, keras.layers.Dense(2)(keras.layers.Flatten()(x)))


def test_symmetric_padding_that_the_sdk_replaces_is_refused():
    """quantizeml swallows the padding and pads elsewhere; it still agrees with Akida about every number."""
    model = padded_network()
    with conversions.quiet():
        quantized = quantizeml.models.quantize(model, num_samples=1)
    assert "pad" not in {layer.name for layer in quantized.layers}
    with pytest.raises(QanaError, match=r"pad: the ZeroPadding2D is gone.*strided: padding 'valid' became"):
        require_same_network(model, quantized)


def test_recorders_made_without_a_graph_give_the_same_program():
    pixels = keras.Input((16, 16, 3), dtype="uint8")
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same", name="layer_0")(
        keras.layers.Rescaling(1.0)(pixels)
    )
    x = keras.layers.Conv2D(4, 3, padding="same", name="layer_1")(keras.layers.ReLU(6.0)(x))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU(6.0)(x))
    model = keras.Model(pixels, keras.layers.Dense(2, name="layer_2")(x))
    batch = conversions.images(4, seed=3, height=16, width=16)
    programs = []
    for quickly in (False, True):
        with conversions.quiet(), quick_recorders() if quickly else nullcontext():
            quantized = quantizeml.models.quantize(model, samples=batch, num_samples=4, batch_size=4)
            programs.append(variables(convert_keras(quantized, generation=2)))
    assert "init_var" not in vars(TensorRecorder)  # the SDK is as it was
    slow, quick = programs
    assert list(slow) == list(quick)
    assert [name for name in slow if slow[name].tobytes() != quick[name].tobytes()] == []


def test_activations_per_channel_are_refused_on_generation_1():
    """The SDK's default there; its own guard never fires."""
    pixels = keras.Input((16, 16, 3), dtype="uint8")
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same")(keras.layers.Rescaling(1.0)(pixels))
    x = keras.layers.ReLU(6.0, name="first")(x)
    x = keras.layers.ReLU(6.0, name="second")(keras.layers.Conv2D(4, 3, padding="same")(x))
    x = keras.layers.Dense(2)(keras.layers.Flatten()(x))
    bits = dict(weight_bits=4, activation_bits=4, input_weight_bits=8)
    for per_tensor in (False, True):
        qparams = quantizeml.layers.QuantizationParams(**bits, per_tensor_activations=per_tensor)
        with conversions.quiet(), akida_generation(1):
            quantized = quantizeml.models.quantize(keras.Model(pixels, x), qparams=qparams, num_samples=1)
        if per_tensor:
            require_per_tensor(quantized)
            continue
        with pytest.raises(QanaError, match=r"layer\(s\) have activations per channel: first") as refusal:
            convert_keras(quantized, generation=1)
        assert "per_tensor_activations=True" in refusal.value.fix


def test_network_with_a_dead_channel_is_refused_on_generation_1(tmp_path):
    """The SDK would cut its step and round the next layer's weights down, without a word."""
    float_network = small_networks.alone(
        ConvUnit(3, 8, kernel_size=3, stride=2, bound=1.0, input_scale=1 / 255),
        SeparableUnit(8, 12, stride=2, bound=1.0, pool="global_before_relu"),
        HeadUnit(12, 3),
    )
    pixels = small_networks.pixels(8, conversions.HEIGHT, conversions.WIDTH)
    scheme = small_networks.scheme_for(1)
    network = scheme.apply(small_networks.settled(float_network, images=pixels), pixels).eval()
    with torch.no_grad():
        network.units()[1].unit.conv.weight[5] = 0.0
    with pytest.raises(QanaError, match="layer_1: activation step above 65535 in 1 of 12 channels"):
        conversions.convert(network, tmp_path)
