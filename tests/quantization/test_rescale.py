import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_reference import rescaled_v1, rescaled_v2

from qana.quantization.grid import ActivationGrid
from qana.quantization.rescale import Accumulator, rescale_v1, rescale_v2

NIBBLE = ActivationGrid(value_bits=4, frac_bits=4)


def accumulator(codes, *, bias=(0,), scale=(0.1875,), frac_bits=4):
    """Codes (H, W) of one channel, or (C, H, W)."""
    codes = torch.tensor(codes, dtype=torch.float64)
    return Accumulator(
        codes=codes.view(1, len(bias), *codes.shape[-2:]),
        bias=torch.tensor(bias, dtype=torch.float32),
        scale=torch.tensor(scale, dtype=torch.float32),
        frac_bits=frac_bits,
    )


@st.composite
def accumulators(draw, frac_bits=None):
    """Three channels that reach from far below zero to far above saturation."""
    numbers = np.random.default_rng(draw(st.integers(0, 9999)))
    height, width = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    frac_bits = frac_bits or draw(st.sampled_from([4, 7]))
    scale = numbers.integers(1, 1000, 3) * 2.0 ** -draw(st.integers(10, 13))
    # In real units the accumulator lies between -2 and 3 times the bound of 1.
    codes_of_one = 2**frac_bits / scale
    codes = np.rint(numbers.uniform(-2, 3, (3, height, width)) * codes_of_one[:, None, None])
    bias = np.rint(numbers.uniform(-0.5, 0.5, 3) * codes_of_one)
    return accumulator(codes.tolist(), bias=bias.tolist(), scale=scale.tolist(), frac_bits=frac_bits)


def channels(acc):
    codes, bias = acc.codes[0].long().tolist(), acc.bias.long().tolist()
    return zip(codes, bias, acc.scale.numpy(), strict=True)


def test_akida_1_divides_by_the_step_in_sixteenths_and_rounds_up():
    # 0.1875 = 192 * 2**-10, so step = 1024 / 192 = 5.333, threshold = round(2.667) = 3, divisor = 85 / 16.
    acc = accumulator([[-90, 0, 3, 4, 8, 9, 13, 14, 77, 78, 300]])
    levels = rescale_v1(acc, NIBBLE, pool="none", bound=1.0)
    assert levels.flatten().tolist() == [0, 0, 0, 1, 1, 2, 2, 3, 14, 15, 15]


def test_akida_1_moves_its_threshold_by_the_bias():
    plain = rescale_v1(accumulator([list(range(-40, 90))]), NIBBLE, pool="none", bound=1.0)
    moved = rescale_v1(accumulator([list(range(-50, 80))], bias=[10]), NIBBLE, pool="none", bound=1.0)
    assert torch.equal(plain, moved)


def test_akida_2_multiplies_by_the_mantissa_and_rounds_half_up():
    # 192 / 1024 = 0.1875: 2 -> 0.375, 3 -> 0.5625, 8 -> 1.5, 40 -> 7.5; cut at 85 -> 15.94
    acc = accumulator([[-90, 0, 2, 3, 8, 40, 80, 300]])
    levels = rescale_v2(acc, NIBBLE, pool="none", bound=1.0)
    assert levels.flatten().tolist() == [0, 0, 0, 1, 2, 8, 15, 15]


def test_akida_2_cuts_at_the_bound_before_it_averages():
    # Both positions: (0 + 85) / 2 codes of 0.1875 / 16, that is 42.5 * 0.1875 = 7.97 levels.
    acc = accumulator([[-500, 500]])
    assert rescale_v2(acc, NIBBLE, pool="global_after_relu", bound=1.0).item() == 8


def test_akida_1_averages_before_its_activation():
    acc = accumulator([[-500, 500]])
    assert rescale_v1(acc, NIBBLE, pool="global_before_relu", bound=1.0).item() == 0


@given(accumulators(), st.sampled_from(["none", "max", "global_before_relu"]), st.sampled_from([2, 4, 7]))
@settings(max_examples=100)
def test_akida_1_equals_the_reference_in_whole_numbers(acc, pool, value_bits):
    grid = ActivationGrid(value_bits, value_bits)
    levels = rescale_v1(acc, grid, pool=pool, bound=1.0)
    expected = [
        rescaled_v1(codes, bias, scale, acc.frac_bits, grid, pool) for codes, bias, scale in channels(acc)
    ]
    np.testing.assert_array_equal(levels[0].numpy(), expected)


@given(accumulators(), st.sampled_from(["none", "max", "global_after_relu"]), st.sampled_from([2, 4, 7]))
@settings(max_examples=100)
def test_akida_2_equals_the_reference_in_whole_numbers(acc, pool, value_bits):
    grid = ActivationGrid(value_bits, value_bits)
    levels = rescale_v2(acc, grid, pool=pool, bound=1.0)
    expected = [
        rescaled_v2(codes, bias, scale, acc.frac_bits, grid, pool, 1.0)
        for codes, bias, scale in channels(acc)
    ]
    np.testing.assert_array_equal(levels[0].numpy(), expected)


@pytest.mark.parametrize("rescale", [rescale_v1, rescale_v2])
@given(acc=accumulators(frac_bits=4))
@settings(max_examples=40)
def test_levels_are_whole_within_the_grid_and_within_one_step_of_the_real_value(rescale, acc):
    levels = rescale(acc, NIBBLE, pool="none", bound=1.0)
    assert torch.equal(levels, levels.round())
    assert 0 <= levels.min() <= levels.max() <= 15
    real = (acc.logits() * 16).clamp(0, 15)
    # Half a level by rounding; v1's rounded threshold and step and the 8-bit scale add what is below.
    step = 1 / acc.scale.view(1, -1, 1, 1)
    slack = 0.5 + 15 / 255 + (0.5 / step + 15 / (16 * step) if rescale is rescale_v1 else 0)
    assert torch.all((levels - real).abs() <= slack + 1e-6)


@pytest.mark.parametrize("rescale", [rescale_v1, rescale_v2])
def test_a_larger_accumulator_never_gives_a_smaller_level(rescale):
    levels = rescale(accumulator([list(range(-200, 400))]), NIBBLE, pool="none", bound=1.0).flatten()
    assert torch.all(levels.diff() >= 0)
    assert set(levels.tolist()) == set(range(16))


@pytest.mark.parametrize("rescale", [rescale_v1, rescale_v2])
def test_max_pooling_pools_an_odd_edge_alone(rescale):
    acc = accumulator([[0, 20, 60], [40, 10, 0], [80, 0, 5]])
    pooled = rescale(acc, NIBBLE, pool="max", bound=1.0)[0, 0]
    unpooled = rescale(accumulator([[40, 60], [80, 5]]), NIBBLE, pool="none", bound=1.0)[0, 0]
    assert torch.equal(pooled, unpooled)


@pytest.mark.parametrize("rescale", [rescale_v1, rescale_v2])
def test_the_gradient_is_that_of_the_unrounded_activation(rescale):
    acc = accumulator([[-100.0, 40.0, 5000.0]])
    acc.codes.requires_grad_()
    rescale(acc, NIBBLE, pool="none", bound=1.0).sum().backward()
    outside_below, inside, outside_above = acc.codes.grad.flatten().tolist()
    assert (outside_below, outside_above) == (0.0, 0.0)
    assert inside == pytest.approx(0.1875, rel=0.01)


def test_logits_are_the_accumulator_in_real_units():
    acc = accumulator([[3, -5]], bias=[2], scale=[0.25], frac_bits=3)
    assert acc.logits().flatten().tolist() == [5 * 0.25 / 8, -3 * 0.25 / 8]


def through(rounding, x):
    return x + (rounding(x) - x).detach()


def step_by_step_v1(codes, bias, *, step):
    """The formula of akida v1 in torch's own operations, for what autograd makes of it."""
    distance = codes - (round(step / 2) - bias).view(1, -1, 1, 1)
    return through(torch.ceil, distance / (np.floor(16 * step) / 16)).clamp(0, 15)


def step_by_step_v2(codes, bias, *, factor, ceiling):
    clipped = (codes + bias.view(1, -1, 1, 1)).clamp(0, ceiling)
    return through(torch.floor, clipped * factor + 0.5).clamp(max=15)


@pytest.mark.parametrize(
    ("rescale", "formula", "constants"),
    [
        (rescale_v1, step_by_step_v1, {"step": 16 / 3}),
        (rescale_v2, step_by_step_v2, {"factor": 3 / 16, "ceiling": 85.0}),
    ],
)
def test_gradients_are_those_of_the_formula_with_its_rounding_passed_through(rescale, formula, constants):
    values = torch.arange(-60.0, 140.0, dtype=torch.float64).view(1, 1, 10, 20)
    weight = torch.linspace(0.5, 2, 200, dtype=torch.float64).view(1, 1, 10, 20)
    gradients = []
    for compute in (
        lambda x, b: rescale(Accumulator(x, b, torch.tensor([0.1875]), 4), NIBBLE, pool="none", bound=1.0),
        lambda x, b: formula(x, b, **constants),
    ):
        codes, bias = values.clone().requires_grad_(), torch.zeros(1, dtype=torch.float64).requires_grad_()
        said = compute(codes, bias)
        (said * weight).sum().backward()
        gradients.append((said.detach(), codes.grad, bias.grad))
    for ours, theirs in zip(*gradients, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-12)
    assert 0 < int((gradients[0][1] != 0).sum()) < 200
