import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import settled
from torch import nn

from qana.backbone.unit import ConvUnit, HeadUnit, SeparableUnit, Unit


def bare(unit):
    """Without its norm, so that a hand calculation stays readable."""
    unit.norm = nn.Identity()
    return unit.eval()


def test_a_strided_convolution_is_padded_behind_as_the_chip_pads():
    unit, x = bare(ConvUnit(3, 4, kernel_size=3, stride=2, bound=None)), torch.randn(2, 3, 8, 6)
    padded = F.pad(x, (0, 1, 0, 1))
    torch.testing.assert_close(unit(x), F.conv2d(padded, unit.conv.weight, stride=2))


def test_a_depthwise_unit_has_one_kernel_per_channel():
    unit, x = bare(ConvUnit(4, 4, kernel_size=3, depthwise=True, bound=None)), torch.rand(1, 4, 5, 5)
    for channel in range(4):
        own = F.conv2d(x[:, channel : channel + 1], unit.conv.weight[channel : channel + 1], padding=1)
        torch.testing.assert_close(unit(x)[:, channel : channel + 1], own)


def test_the_input_scale_multiplies_the_pixels():
    unit, x = bare(ConvUnit(3, 2, kernel_size=3, bound=None, input_scale=1 / 255)), torch.rand(1, 3, 6, 6)
    scaled = F.conv2d(x / 255, unit.conv.weight, padding=1)
    torch.testing.assert_close(unit(x), scaled)


def test_a_separable_unit_has_nothing_between_its_two_convolutions():
    unit, x = bare(SeparableUnit(3, 5, bound=None)), torch.randn(2, 3, 7, 6)
    expected = F.conv2d(F.conv2d(x, unit.depthwise.weight, padding=1, groups=3), unit.conv.weight)
    torch.testing.assert_close(unit(x), expected)


def test_a_ghost_unit_is_a_depthwise_convolution_over_x_twice_with_identity_kernels_first():
    unit, x = bare(SeparableUnit(3, 5, bound=None, ghost=True)), torch.randn(2, 3, 7, 6)
    identity = torch.zeros(3, 1, 3, 3)
    identity[:, :, 1, 1] = 1.0
    kernels = torch.cat((identity, unit.depthwise.weight))
    doubled = F.conv2d(torch.cat((x, x), 1), kernels, padding=1, groups=6)
    torch.testing.assert_close(unit(x), F.conv2d(doubled, unit.conv.weight))


def test_a_ghost_unit_keeps_its_resolution():
    with pytest.raises(ValueError, match="stride must be 1"):
        SeparableUnit(3, 5, bound=4.0, ghost=True, stride=2)


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        ("none", [[0.0, 4.0, 2.0], [0.0, 0.0, 1.0]]),
        ("max", [[4.0, 2.0]]),  # the odd column is pooled alone, not dropped
        ("global_before_relu", [[1.0]]),  # (-3 + 6 + 2 - 1 + 0 + 2) / 6, then the ReLU
        ("global_after_relu", [[1.5]]),
    ],
)
def test_pool_and_activation_come_in_the_order_of_the_chip(pool, expected):
    unit = bare(ConvUnit(1, 1, kernel_size=1, bound=4.0, pool=pool))
    nn.init.ones_(unit.conv.weight)
    x = torch.tensor([[-3.0, 6.0, 2.0], [-1.0, 0.0, 2.0 if pool != "none" else 1.0]]).view(1, 1, 2, 3)
    if pool == "global_after_relu":
        x[..., 1, 2] = 3.0  # (0 + 4 + 2 + 0 + 0 + 3) / 6
    assert unit(x)[0, 0].tolist() == expected


def test_the_gate_sits_before_the_activation():
    class Halve(nn.Module):
        def forward(self, x):
            return x / 2

    unit = bare(ConvUnit(1, 1, kernel_size=1, bound=1.0, gate=Halve()))
    nn.init.ones_(unit.conv.weight)
    assert unit(torch.tensor([[[[1.0, 3.0]]]])).flatten().tolist() == [0.5, 1.0]


@pytest.mark.parametrize(
    ("pool", "size"),
    [("none", (4, 6)), ("max", (2, 3)), ("global_before_relu", (1, 1)), ("global_after_relu", (4, 6))],
)
def test_the_gate_sees_what_the_pool_ahead_of_the_activation_leaves(pool, size):
    seen = []

    class Look(nn.Module):
        def forward(self, x):
            seen.append(tuple(x.shape[2:]))
            return x

    bare(ConvUnit(1, 1, kernel_size=1, bound=1.0, pool=pool, gate=Look()))(torch.zeros(1, 1, 4, 6))
    assert seen == [size]


def test_a_unit_without_a_bound_gives_any_value():
    unit = bare(ConvUnit(1, 1, kernel_size=1, bound=None))
    nn.init.ones_(unit.conv.weight)
    assert unit(torch.tensor([[[[-5.0, 9.0]]]])).flatten().tolist() == [-5.0, 9.0]


def test_the_head_is_a_dense_layer():
    unit, x = HeadUnit(6, 3).eval(), torch.rand(4, 6, 1, 1)
    dense = F.linear(x.flatten(1), unit.conv.weight.flatten(1), unit.conv.bias)
    torch.testing.assert_close(unit(x).flatten(1), dense)


@given(
    st.integers(2, 9),
    st.integers(2, 9),
    st.sampled_from([1, 2]),
    st.sampled_from([1, 3, 5]),
    st.sampled_from(["none", "max", "global_before_relu", "global_after_relu"]),
)
@settings(max_examples=30)
def test_outputs_have_the_ceiled_size_and_stay_within_the_bound(height, width, stride, kernel_size, pool):
    unit = settled(ConvUnit(2, 3, kernel_size=kernel_size, stride=stride, bound=2.0, pool=pool))
    out = unit(torch.randn(1, 2, height, width) * 5)
    rows, columns = -(-height // stride), -(-width // stride)
    if pool == "max":
        rows, columns = -(-rows // 2), -(-columns // 2)
    if pool.startswith("global"):
        rows = columns = 1
    assert out.shape == (1, 3, rows, columns)
    assert 0 <= out.min() <= out.max() <= 2.0


@pytest.mark.parametrize(
    ("unit", "count"),
    [
        (ConvUnit(3, 4, kernel_size=3, bound=1.0), 1),
        (SeparableUnit(3, 4, bound=1.0), 2),
        (HeadUnit(3, 4), 1),
    ],
)
def test_weighted_names_every_convolution_with_the_output_last(unit, count):
    convolutions = [module for module in unit.modules() if isinstance(module, nn.Conv2d)]
    assert unit.weighted() == convolutions
    assert len(convolutions) == count
    assert unit.weighted()[-1].out_channels == unit.out_channels == 4


def test_a_bare_unit_has_no_linear_part():
    with pytest.raises(TypeError, match="linear, weighted"):
        Unit(4, pool="none", bound=None)
