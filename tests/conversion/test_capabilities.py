"""The capability tables name every offence before training; the SDK refuses the same things."""

import importlib.util
from pathlib import Path

import akida
import cnn2snn
import conversions
import numpy as np
import pytest
import quantizeml
import small_networks
import tf_keras as keras
from hydra.utils import instantiate
from omegaconf import OmegaConf

from qana.backbone.unit import ConvUnit, HeadUnit, SeparableUnit
from qana.conversion.keras_to_akida import akida_generation
from qana.errors import QanaError

CONF = Path(__file__).parents[2] / "conf" / "conversion"
TARGETS = {1: "akd1000", 2: "akida2"}
IMAGE_SHAPE = (32, 32, 3)


def target(generation, **changes):
    """The target as the shipped configuration makes it."""
    return instantiate(OmegaConf.merge(OmegaConf.load(CONF / f"{TARGETS[generation]}.yaml"), changes))


def quantization(bits, generation, activation_bits=None):
    return small_networks.scheme_for(generation, bits, activation_bits)


def check(generation, network, image_shape=IMAGE_SHAPE):
    target(generation).check(network, quantization(4, generation), image_shape)


def network_of(*units):
    """Units between a stem and a head that both generations run."""
    pool = "global_before_relu" if isinstance(units[-1], SeparableUnit) else "global_after_relu"
    units[-1].pool = pool
    return small_networks.alone(
        ConvUnit(3, 8, kernel_size=3, stride=2, bound=4.0), *units, HeadUnit(units[-1].out_channels, 3)
    )


@pytest.mark.parametrize("family", ["qana", "akidanet"])
@pytest.mark.parametrize(("generation", "bits"), [(1, 4), (2, 4), (2, 8)])
def test_shipped_target_takes_the_networks_made_for_it(family, generation, bits):
    network = small_networks.small_network(family, conversions.FORM[generation])
    target(generation).check(network, quantization(bits, generation), IMAGE_SHAPE)


def test_checking_leaves_the_network_in_its_mode():
    network = small_networks.small_network("qana", "separable").train()
    check(1, network)
    assert network.training


OFFENCES = {
    "depthwise": (
        1,
        lambda: [
            ConvUnit(8, 8, kernel_size=3, depthwise=True, bound=4.0),
            SeparableUnit(8, 8, bound=4.0),
        ],
        r"blocks\.1: a depthwise convolution on its own \(use a SeparableUnit\)",
    ),
    "separable": (
        2,
        lambda: [SeparableUnit(8, 8, bound=4.0), ConvUnit(8, 8, kernel_size=1, bound=4.0)],
        r"blocks\.1: a separable convolution \(split it",
    ),
    "activation": (
        1,
        lambda: [ConvUnit(8, 8, kernel_size=3, bound=None), SeparableUnit(8, 8, bound=4.0)],
        r"blocks\.1: no activation",
    ),
    "kernel": (
        2,
        lambda: [
            ConvUnit(8, 8, kernel_size=9, bound=4.0),
            ConvUnit(8, 8, kernel_size=1, bound=4.0),
        ],
        r"blocks\.1: a 9x9 kernel at stride 1",
    ),
    "stride": (
        2,
        lambda: [
            ConvUnit(8, 8, kernel_size=5, stride=2, bound=4.0),
            ConvUnit(8, 8, kernel_size=1, bound=4.0),
        ],
        r"blocks\.1: a 5x5 kernel at stride 2",
    ),
    "few rows": (
        1,
        lambda: [SeparableUnit(8, 8, bound=4.0, stride=2), SeparableUnit(8, 8, bound=4.0, stride=2)],
        r"blocks\.2: a global pool over 2 rows, fewer than 3",
    ),
    "wide pool on v1": (
        1,
        lambda: [SeparableUnit(8, 8, bound=4.0)],
        r"blocks\.1: a global pool over 32x32 = 1024 positions \(pool at most 255",
    ),
    "wide pool on v2": (
        2,
        lambda: [ConvUnit(8, 8, kernel_size=1, bound=4.0)],
        r"blocks\.1: a global pool over 32x32 = 1024 positions \(pool at most 144",
    ),
}


@pytest.mark.parametrize("offence", OFFENCES)
def test_offence_is_named_with_its_place(offence):
    generation, units, named = OFFENCES[offence]
    size = 64 if "wide" in offence else 16
    with pytest.raises(QanaError, match=rf"does not run 1 part\(s\) of the network: {named}") as refusal:
        check(generation, network_of(*units()), (size, size, 3))
    assert refusal.value.where == f"backbone, conversion.name = {TARGETS[generation]}"
    assert refusal.value.allowed
    assert refusal.value.fix


@pytest.mark.parametrize(("generation", "size", "positions"), [(1, 30, 225), (2, 24, 144)])
def test_largest_global_pool_passes_and_the_next_is_refused(generation, size, positions):
    unit = SeparableUnit(8, 8, bound=4.0) if generation == 1 else ConvUnit(8, 8, kernel_size=1, bound=4.0)
    network = network_of(unit)
    check(generation, network, (size, size, 3))
    with pytest.raises(QanaError, match=rf"{size // 2 + 1}x{size // 2 + 1} = "):
        check(generation, network, (size + 2, size + 2, 3))
    assert (size // 2) ** 2 == positions


def test_all_offences_of_a_network_come_in_one_error():
    with pytest.raises(QanaError, match="does not run") as refusal:
        check(1, small_networks.small_network("qana", "concat"))
    text = str(refusal.value)
    for named in (
        "blocks.1: a concatenation",
        "blocks.1.cheap: a depthwise convolution on its own",
        "blocks.2: a concatenation",
        "a global pool after relu",
    ):
        assert named in text


@pytest.mark.parametrize(
    ("generation", "asked", "received"),
    [
        (1, quantization(8, 1), "w8a8 for Akida v1"),
        (1, quantization(4, 2), "w4a4 for Akida v2"),
        (2, quantization(8, 2, activation_bits=4), "w8a4 for Akida v2"),
        (2, None, "a float network"),
    ],
)
def test_illegal_bits_are_refused_with_the_legal_ones(generation, asked, received):
    network = small_networks.small_network("qana", conversions.FORM[generation])
    with pytest.raises(QanaError, match=f"does not run {received}") as refusal:
        target(generation).check(network, asked, IMAGE_SHAPE)
    assert "w4a4" in refusal.value.allowed
    assert ("w8a8" in refusal.value.allowed) == (generation == 2)
    assert "quantization=w4a4" in refusal.value.fix
    assert f"conversion.name = {TARGETS[generation]}" in refusal.value.where


def test_missing_sdk_is_refused_with_what_to_install(monkeypatch):
    find_spec = importlib.util.find_spec
    absent = {"akida", "quantizeml"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in absent else find_spec(name))
    with pytest.raises(QanaError, match="needs the Akida SDK; not installed: akida, quantizeml") as refusal:
        check(1, small_networks.small_network("qana", "separable"))
    assert "pip install akida" in refusal.value.fix
    assert "conversion=none" in refusal.value.allowed
    assert refusal.value.where == "conversion.name = akd1000"


def shortest_network(size, *middle):
    """A stem, a convolution whose map of (size / 2)**2 is pooled ahead of the ReLU, and a head."""
    layers = keras.layers
    stack = [
        layers.Rescaling(1.0),
        layers.Conv2D(4, 3, strides=2, padding="same"),
        layers.ReLU(6.0),
        *middle,
        layers.Conv2D(4, 3, padding="same"),
        layers.GlobalAveragePooling2D(),
        layers.ReLU(6.0),
        layers.Dense(3),
    ]
    x = pixels = keras.Input((size, size, 3), dtype="uint8")
    for layer in stack:
        x = layer(x)
    return keras.Model(pixels, x)


def convert_for_generation_1(model, bits):
    with conversions.quiet(), akida_generation(1):
        parameters = quantizeml.layers.QuantizationParams(
            weight_bits=bits, activation_bits=4, input_weight_bits=8, per_tensor_activations=True
        )
        return cnn2snn.convert(quantizeml.models.quantize(model, qparams=parameters, num_samples=1))


def test_sdk_refuses_8_bit_weights_on_generation_1():
    with pytest.raises((ValueError, RuntimeError), match="can only handle weights with 1, 2 or 4 bits"):
        convert_for_generation_1(shortest_network(30), bits=8)


def test_sdk_refuses_a_wide_global_pool_on_generation_1_as_the_table_does():
    assert target(1).capabilities.pooled_positions < 17 * 17
    with pytest.raises((ValueError, RuntimeError), match="only accepts values smaller than 256"):
        convert_for_generation_1(shortest_network(34), bits=4)


def test_sdk_refuses_a_depthwise_convolution_on_its_own_on_generation_1():
    middle = keras.layers.DepthwiseConv2D(3, padding="same"), keras.layers.ReLU(6.0)
    with pytest.raises((ValueError, RuntimeError), match=r"QuantizedDepthwiseConv2D \(depthwise_conv2d"):
        convert_for_generation_1(shortest_network(30, *middle), bits=4)


@pytest.mark.parametrize("positions_wide", [12, 13])
def test_mapper_of_generation_2_pools_as_many_positions_as_the_table_allows(positions_wide):
    program = akida.Model()
    program.add(akida.InputConv2D((2 * positions_wide, 2 * positions_wide, 3), 8, 3, kernel_stride=2))
    program.add(akida.Conv2D(filters=8, kernel_size=1, pool_type=akida.PoolType.Average))
    program.add(akida.Dense1D(units=3, activation=akida.ActivationType.NoActivation))
    for layer in program.layers:  # the mapper refuses weights that are all zero
        layer.variables["weights"] = np.ones_like(layer.variables["weights"])
    if positions_wide**2 <= target(2).capabilities.pooled_positions:
        program.map(akida.SixNodesIPv2(), hw_only=True)
    else:
        with pytest.raises(RuntimeError, match="cannot exceed 144"):
            program.map(akida.SixNodesIPv2(), hw_only=True)
