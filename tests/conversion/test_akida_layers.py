"""What is read from an Akida program is what torch knows of the same network."""

import akida
import conversions
import numpy as np
import pytest
import small_networks

from qana.backbone import complexity
from qana.conversion.akida_layers import describe_layer, layer_outputs
from qana.conversion.parity import torch_codes

KINDS = {1: {"InputConvolutional", "Convolutional", "SeparableConvolutional", "FullyConnected"}}
KINDS[2] = {"InputConv2D", "Conv2D", "DepthwiseConv2D", "Concatenate", "Dense1D", "Dequantizer"}


def describe(known):
    return [describe_layer(layer) for layer in akida.Model(str(known.program_path)).layers]


@pytest.mark.parametrize("family", ["akidanet", "qana"])
def test_multiply_accumulates_are_those_of_the_float_network(converted, family):
    float_network = small_networks.settled_network(family, "concat")
    shape = (conversions.HEIGHT, conversions.WIDTH, 3)
    described = describe(converted(family, 2, 4))
    assert sum(layer["macs"] for layer in described) == complexity(float_network, shape).macs


def test_ghost_unit_of_generation_1_costs_what_its_doubled_features_cost(converted):
    """[x, dw(x)] is run as a depthwise convolution over [x, x]: half of its kernels are identities."""
    known = converted("qana", 1, 4)
    found = {layer["name"]: layer["macs"] for layer in describe(known)}
    plan = dict(zip(known.network.units(), known.plan, strict=True))
    ghosts = [unit for unit in plan if getattr(unit.unit, "ghost", False)]
    outputs = torch_codes(known.network, known.plan, conversions.images(1))
    before = dict(zip(known.network.units()[1:], known.network.units(), strict=False))
    for unit in ghosts:
        positions = np.prod(outputs[plan[before[unit]].name].shape[1:3])
        depthwise, pointwise = (conv.weight.numel() for conv in unit.unit.weighted())
        assert found[plan[unit].name] == positions * (2 * depthwise + pointwise * plan[unit].copies)
    assert len(ghosts) > 1


@pytest.mark.parametrize(("family", "bits"), [("qana", 4), ("qana", 8), ("akidanet", 4)])
def test_weight_bytes_are_those_of_the_trained_weights(converted, family, bits):
    known = converted(family, 2, bits)
    found = {layer["name"]: layer["weight_bytes"] for layer in describe(known)}
    for unit, entry in zip(known.network.units(), known.plan, strict=True):
        expected = sum(-(-conv.weight.numel() * entry.weight_bits // 8) for conv in unit.unit.weighted())
        assert found[entry.name] == expected, entry.name


@pytest.mark.parametrize("generation", [1, 2])
def test_kinds_have_plain_names(converted, generation):
    assert {layer["kind"] for layer in describe(converted("qana", generation, 4))} <= KINDS[generation]


@pytest.mark.parametrize("generation", [1, 2])
def test_outputs_of_all_layers_with_codes_are_found_in_their_shapes(converted, generation):
    known = converted("qana", generation, 4)
    batch = conversions.images(3, seed=31)
    described = {layer["name"]: layer for layer in describe(known)}
    outputs = layer_outputs(akida.Model(str(known.program_path)), batch)
    coded = {name for name in described if not name.startswith("dequantizer")} - {known.plan[-1].name}
    assert set(outputs) == coded
    for name, output in outputs.items():
        assert list(output.shape) == [3, *described[name]["output_shape"]]


def test_concatenation_holds_both_branches(converted):
    known = converted("qana", 2, 4)
    outputs = layer_outputs(akida.Model(str(known.program_path)), conversions.images(3, seed=31))
    both = np.concatenate((outputs["layer_1_primary"], outputs["layer_1_cheap"]), axis=-1)
    np.testing.assert_array_equal(outputs["layer_1_concat"], both)
