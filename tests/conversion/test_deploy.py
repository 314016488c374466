"""The plain network computes what the units compute, and the plan says what training fixed."""

import conversions
import numpy as np
import onnx
import pytest
import small_networks
import torch
from onnx_graphs import run_onnx
from torch import nn

from qana.backbone.ghost import GhostModule
from qana.conversion.deploy import deploy

CHOICES = [(family, generation) for family in ("qana", "akidanet") for generation in (1, 2)]


def float_units(network, x):
    """The folded units under the quantized ones, one by one, in float."""
    for block in network.blocks:
        if isinstance(block, GhostModule):
            y = block.primary.unit(x)
            x = torch.cat((y, block.cheap.unit(y)), 1)
        else:
            x = block.unit(x)
    return x.flatten(1)


@pytest.mark.parametrize(("family", "generation"), CHOICES)
def test_deployed_network_computes_what_the_units_compute(family, generation):
    network = conversions.quantized_network(family, generation, 4)
    deployed, _ = deploy(network)
    x = small_networks.pixels(4, 36, 44, seed=3)
    with torch.no_grad():
        expected = float_units(network, x)
        assert np.ptp(expected.numpy(), axis=0).min() > 0.1
        torch.testing.assert_close(deployed(x), expected, rtol=1e-4, atol=1e-4)


def test_deployed_network_has_plain_layers_only():
    deployed, _ = deploy(conversions.quantized_network("qana", 1, 4))
    leaves = [module for module in deployed.modules() if not list(module.children())]
    assert {type(leaf).__bases__[0] if isinstance(leaf, nn.Conv2d) else type(leaf) for leaf in leaves} == {
        nn.Conv2d,
        nn.Linear,
    }


@pytest.mark.parametrize(("family", "generation"), CHOICES)
def test_plan_names_every_unit_of_the_network_once_and_in_order(family, generation):
    network = conversions.quantized_network(family, generation, 4)
    _, plan = deploy(network)
    assert [network.get_submodule(entry.module) for entry in plan] == network.units()
    assert len({entry.name for entry in plan}) == len(plan)


@pytest.mark.parametrize(("generation", "bits"), [(1, 4), (2, 4), (2, 8)])
def test_plan_holds_the_grids_of_training(generation, bits):
    network = conversions.quantized_network("akidanet", generation, bits)
    stem, *middle, pooled, head = deploy(network)[1]
    signed = bits == 8

    assert [entry.weight_bits for entry in (stem, *middle, pooled, head)] == [8, *[bits] * (len(middle) + 2)]
    for entry in (stem, *middle):
        assert (entry.output_bits, entry.output_signed, entry.pooled) == (bits, signed, False)
        levels = 2 ** (bits - signed)
        assert entry.range_max == (levels - 1) / levels  # every activation lies in [0, 1)
        assert 2**entry.frac_bits == levels
    if generation == 2:  # a pooled output leaves on 7 bits and a sign
        assert (pooled.output_bits, pooled.output_signed, pooled.pooled) == (8, True, True)
        assert pooled.range_max == 127 / 128
    assert (head.output_bits, head.range_max, head.frac_bits) == (None, None, None)


def test_layer_before_a_ghost_unit_gives_every_feature_twice():
    network = conversions.quantized_network("qana", 1, 4)
    _, plan = deploy(network)
    ghost = [getattr(unit.unit, "ghost", False) for unit in network.units()]
    assert any(ghost)
    assert [entry.copies for entry in plan] == [2 if follows else 1 for follows in [*ghost[1:], False]]


def test_deploying_twice_changes_nothing():
    network = conversions.quantized_network("qana", 2, 4)
    first, second = deploy(network)[0].state_dict(), deploy(network)[0].state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_quantized_network_computes_the_same_after_its_weights_were_snapped():
    network = conversions.quantized_network("qana", 1, 4)
    x = small_networks.pixels(3, 36, 44, seed=4)
    with torch.no_grad():
        before = network(x)
        deploy(network)
        assert torch.equal(network(x), before)


@pytest.mark.parametrize("generation", [1, 2])
def test_exported_file_computes_what_the_deployed_network_computes(exported, generation):
    network, path = exported("qana", generation)
    x = small_networks.pixels(5, conversions.HEIGHT, conversions.WIDTH, seed=6)
    with torch.no_grad():
        expected = deploy(network)[0](x).numpy()
    found = run_onnx(onnx.load(str(path)), x.permute(0, 2, 3, 1).numpy())
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_exported_file_holds_no_padding_of_its_own_and_any_batch(exported):
    graph = onnx.load(str(exported("qana", 2)[1])).graph
    operations = {node.op_type for node in graph.node}
    assert operations == {"Conv", "Clip", "Concat", "MaxPool", "GlobalAveragePool", "Flatten", "Gemm"}
    assert [value.name for value in (*graph.input, *graph.output)] == ["pixels", "logits"]
    assert graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_ghost_unit_is_deployed_as_identity_kernels_beside_its_own():
    network = conversions.quantized_network("qana", 1, 4)
    deployed, _ = deploy(network)
    pairs = [
        pair for pair in zip(network.units(), deployed, strict=True) if getattr(pair[0].unit, "ghost", False)
    ]
    assert pairs
    for quantized, plain in pairs:
        own = quantized.unit.depthwise.weight
        identity, kernels = plain.depthwise.weight.split(len(own))
        assert torch.equal(kernels, own)
        assert torch.equal(identity.sum((1, 2, 3)), torch.ones(len(own)))
        assert torch.equal(identity[:, 0, 1, 1], torch.ones(len(own)))
