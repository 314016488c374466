import copy

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import settled
from torch import nn

from qana.backbone.attention import make_gate
from qana.backbone.ghost import GhostModule
from qana.backbone.unit import ConvUnit, SeparableUnit


def in_separable_form(blocks):
    """The same function with every cheap branch fused into the 1x1 convolution behind it."""
    rewritten, cheap = [], None
    for block in blocks:
        ghost = isinstance(block, GhostModule)
        unit = block.primary if ghost else block
        rewritten.append(unit if cheap is None else fused(cheap, unit))
        cheap = block.cheap if ghost else None
    return nn.Sequential(*rewritten)


@torch.no_grad()
def fused(cheap, pointwise):
    """[y, norm(dw(y))] and the 1x1 convolution behind it as one unit, which has no norm between the two."""
    norm = cheap.norm
    factor = norm.weight / (norm.running_var + norm.eps).sqrt()
    shift = norm.bias - norm.running_mean * factor
    unit = SeparableUnit(
        cheap.out_channels, pointwise.out_channels, ghost=True, pool=pointwise.pool, bound=4.0
    )
    unit.depthwise.weight.copy_(cheap.conv.weight * factor.view(-1, 1, 1, 1))
    unit.conv.weight.copy_(pointwise.conv.weight)
    unit.norm, unit.gate = copy.deepcopy(pointwise.norm), pointwise.gate
    unit.norm.running_mean -= pointwise.conv.weight[:, cheap.out_channels :, 0, 0] @ shift
    return unit.eval()


@given(
    halves=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    kernel_size=st.sampled_from([1, 3]),
    attention=st.sampled_from(["none", "se", "sa_eca"]),
    pool=st.sampled_from(["none", "max", "global_before_relu", "global_after_relu"]),
    size=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    seed=st.integers(0, 99),
)
@settings(max_examples=15)
def test_any_chain_of_ghosts_without_cheap_activation_has_an_equal_separable_form(
    halves, kernel_size, attention, pool, size, seed
):
    torch.manual_seed(seed)
    channels, blocks = 5, []
    for half in halves:
        gate = make_gate(attention, half, ending="annealed")
        ghost = GhostModule(
            channels, 2 * half, bound=4.0, cheap_activation=False, kernel_size=kernel_size, gate=gate
        )
        blocks.append(ghost)
        channels = 2 * half
        if kernel_size > 1:  # a 3x3 convolution cannot take the cheap half in
            blocks.append(ConvUnit(channels, channels, kernel_size=1, bound=4.0))
    blocks.append(ConvUnit(channels, 7, kernel_size=1, pool=pool, bound=4.0))
    images = torch.randn(8, 5, *size)
    concat_form = settled(nn.Sequential(*blocks), seed, images)
    separable_form = in_separable_form(blocks).eval()
    assert not any(isinstance(module, GhostModule) for module in separable_form.modules())
    assert concat_form(images).std() > 0.01
    torch.testing.assert_close(concat_form(images), separable_form(images), atol=1e-5, rtol=0)


def test_with_cheap_activation_the_two_forms_part():
    torch.manual_seed(0)
    blocks = [
        GhostModule(5, 12, bound=4.0, cheap_activation=True),
        ConvUnit(12, 7, kernel_size=1, bound=4.0),
    ]
    images = torch.randn(8, 5, 9, 6)
    concat_form = settled(nn.Sequential(*blocks), 0, images)
    assert (concat_form(images) - in_separable_form(blocks).eval()(images)).abs().max() > 0.1


def test_the_second_half_is_a_depthwise_convolution_over_the_first():
    ghost, x = GhostModule(5, 12, bound=4.0, cheap_activation=True).eval(), torch.randn(2, 5, 8, 7)
    ghost.cheap.norm = nn.Identity()
    first, second = ghost(x).chunk(2, dim=1)
    torch.testing.assert_close(first, ghost.primary(x))
    kernels = ghost.cheap.conv.weight
    expected = nn.functional.conv2d(first, kernels, padding=1, groups=6).clamp(0, 4)
    torch.testing.assert_close(second, expected)


def test_cheap_activation_decides_whether_the_second_half_can_be_negative():
    x = torch.randn(2, 5, 8, 7)
    for cheap_activation in (True, False):
        ghost = GhostModule(5, 12, bound=4.0, cheap_activation=cheap_activation).eval()
        first, second = ghost(x).chunk(2, dim=1)
        assert first.min() >= 0
        assert bool((second < 0).any()) is not cheap_activation


def test_the_gate_acts_on_the_primary_features():
    gate = nn.Identity()
    ghost = GhostModule(5, 12, bound=4.0, cheap_activation=True, gate=gate)
    assert ghost.primary.gate is gate
    assert ghost.cheap.gate is not gate


def test_half_of_the_features_cost_nine_weights_each():
    ghost = GhostModule(5, 12, bound=4.0, cheap_activation=True)
    assert ghost.primary.conv.weight.numel() == 5 * 6
    assert ghost.cheap.conv.weight.numel() == 6 * 9
