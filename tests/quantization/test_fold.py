import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import KINDS, alone, pixels, settled, settled_network
from torch import nn

from qana.backbone.attention import AnnealedGate, SpatialEca, SqueezeExcitation
from qana.backbone.unit import ConvUnit, HeadUnit, SeparableUnit, Unit
from qana.quantization import fold


@pytest.mark.parametrize(("name", "form"), KINDS)
def test_folding_keeps_the_outputs(name, form):
    network, images = settled_network(name, form), pixels()
    logits = network(images)
    assert logits.std(0).min() > 0.05
    torch.testing.assert_close(fold(network)(images), logits, atol=1e-5, rtol=1e-5)


@st.composite
def units(draw):
    """Any unit on four input channels."""
    pool = draw(st.sampled_from(["none", "max", "global_before_relu", "global_after_relu"]))
    bound = draw(st.sampled_from([None, 1.0, 4.0]))
    kind = draw(st.sampled_from(["full", "depthwise", "separable", "ghost"]))
    gate = draw(st.sampled_from([None, SqueezeExcitation, SpatialEca]))
    channels = 4 if kind == "depthwise" else 5
    if gate is not None:
        gate = AnnealedGate(gate(channels) if gate is SqueezeExcitation else gate(), channels)
    stride = 1 if kind == "ghost" else draw(st.sampled_from([1, 2]))
    behind = dict(pool=pool, bound=bound, gate=gate, stride=stride)
    if kind in ("separable", "ghost"):
        return SeparableUnit(4, channels, ghost=kind == "ghost", **behind)
    return ConvUnit(
        4,
        channels,
        kernel_size=draw(st.sampled_from([1, 3, 5])),
        depthwise=kind == "depthwise",
        input_scale=draw(st.sampled_from([1.0, 0.25])),
        **behind,
    )


@given(units(), st.integers(2, 7), st.integers(2, 7), st.integers(0, 999))
@settings(max_examples=60)
def test_folding_keeps_the_outputs_of_any_unit(unit, height, width, seed):
    network = settled(alone(unit), seed)
    x = torch.randn(2, 4, height, width, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(fold(network)(x), network(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("name", "form"), KINDS)
def test_only_convolutions_with_bias_and_activations_are_left(name, form):
    folded = fold(settled_network(name, form))
    assert not any(isinstance(module, nn.BatchNorm2d | AnnealedGate) for module in folded.modules())
    for unit in (module for module in folded.modules() if isinstance(module, Unit)):
        assert unit.weighted()[-1].bias is not None
        assert getattr(unit, "input_scale", 1.0) == 1.0


@pytest.mark.parametrize(("name", "form"), KINDS)
def test_the_original_is_left_as_it_was(name, form):
    network = settled_network(name, form).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    folded = fold(network)
    assert network.training
    assert not folded.training
    assert list(before) == list(network.state_dict())
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_folding_twice_equals_folding_once():
    folded = fold(settled_network("qana", "separable"))
    again = fold(folded)
    torch.testing.assert_close(again(pixels()), folded(pixels()), atol=1e-6, rtol=1e-6)


def test_weights_and_bias_follow_the_formula():
    network = alone(ConvUnit(1, 1, kernel_size=1, bound=None, input_scale=0.5))
    unit = network.blocks[0]
    with torch.no_grad():
        unit.conv.weight.fill_(3.0)
        unit.norm.weight.fill_(2.0)
        unit.norm.bias.fill_(0.5)
        unit.norm.running_mean.fill_(1.0)
        unit.norm.running_var.fill_(4.0 - unit.norm.eps)
    conv = fold(network).blocks[0].conv
    assert conv.weight.item() == pytest.approx(2.0 / 2.0 * 3.0 * 0.5)
    assert conv.bias.item() == pytest.approx(0.5 - 1.0 * 2.0 / 2.0)


@pytest.mark.parametrize("ghost", [False, True])
def test_every_depthwise_kernel_of_a_separable_unit_ends_with_a_largest_weight_of_one(ghost):
    network = settled(alone(SeparableUnit(4, 6, ghost=ghost, bound=4.0)))
    kernels = fold(network).blocks[0].depthwise.weight
    torch.testing.assert_close(kernels.abs().amax((1, 2, 3)), torch.ones(4))


def test_a_dead_depthwise_kernel_stays_finite_and_dead():
    network = settled(alone(SeparableUnit(4, 6, bound=4.0)))
    nn.init.zeros_(network.blocks[0].depthwise.weight[1])
    folded, x = fold(network), torch.randn(2, 4, 5, 5)
    assert all(torch.isfinite(value).all() for value in folded.state_dict().values())
    assert not folded.blocks[0].depthwise.weight[1].any()
    torch.testing.assert_close(folded(x), network(x), atol=1e-5, rtol=1e-5)


def test_the_head_keeps_its_own_bias():
    network = alone(HeadUnit(4, 3)).eval()
    conv = fold(network).blocks[0].conv
    assert torch.equal(conv.bias, network.blocks[0].conv.bias)
    assert torch.equal(conv.weight, network.blocks[0].conv.weight)
