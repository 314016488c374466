import torch
from torch import nn

from qana.backbone.ghost import GhostModule
from qana.backbone.unit import ConvUnit, SeparableUnit


def test_without_cheap_activation_the_two_forms_of_a_ghost_are_one_network():
    ghost = GhostModule(5, 12, bound=4.0, cheap_activation=False)
    behind = ConvUnit(12, 7, kernel_size=1, bound=4.0)
    separable = SeparableUnit(6, 7, ghost=True, bound=4.0)
    with torch.no_grad():
        # The separable form has no norm of its own on the cheap branch: its factor goes into the kernels.
        ghost.cheap.norm.running_var.uniform_(0.3, 2.0)
        ghost.cheap.norm.weight.uniform_(0.5, 1.5)
        factor = ghost.cheap.norm.weight / (ghost.cheap.norm.running_var + ghost.cheap.norm.eps).sqrt()
        separable.depthwise.weight.copy_(ghost.cheap.conv.weight * factor.view(-1, 1, 1, 1))
        separable.conv.weight.copy_(behind.conv.weight)
    concat_form = nn.Sequential(ghost, behind).eval()
    separable_form = nn.Sequential(ghost.primary, separable).eval()
    x = torch.randn(3, 5, 9, 6)
    assert concat_form(x).std() > 0.05
    torch.testing.assert_close(concat_form(x), separable_form(x), atol=1e-5, rtol=0)


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
