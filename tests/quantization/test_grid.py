import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from integer_reference import aligned, mantissa_and_exponent, weight_grid

from qana.quantization.grid import (
    PIXELS,
    ActivationGrid,
    bias_codes,
    bound_codes,
    bounded_grid,
    ceil_log2,
    floor_through,
    round_through,
    scale_mantissa,
    weight_codes,
    weight_scale,
)

FLOATS = st.floats(-1000, 1000, width=32)
# Scales a few float32 steps away from powers of two, where float32's log2 cannot tell them apart.
SCALES = st.builds(lambda n, shift: n * 2.0**-shift, st.integers(1, 1000), st.integers(0, 18))


def weights(seed, channels=5, spread=1.0):
    """Random kernels whose channels differ in size by orders of magnitude."""
    numbers = np.random.default_rng(seed)
    sizes = 10.0 ** numbers.uniform(-3, 1, (channels, 1, 1, 1)) * spread
    return (numbers.normal(size=(channels, 3, 3, 3)) * sizes).astype(np.float32)


@pytest.mark.parametrize(
    ("value_bits", "bound", "frac_bits", "range_max"),
    [
        (4, 1.0, 4, 15 / 16),
        (4, 2.0, 3, 15 / 8),
        (7, 1.0, 7, 127 / 128),
        (4, 0.5, 5, 15 / 32),
        (2, 8.0, -1, 6),
    ],
)
def test_the_grid_of_a_bounded_activation_ends_one_step_below_the_bound(
    value_bits, bound, frac_bits, range_max
):
    grid = bounded_grid(value_bits, bound)
    assert grid == ActivationGrid(value_bits, frac_bits)
    assert grid.range_max == range_max == bound - 2.0**-frac_bits


def test_pixels_are_their_own_codes():
    assert (PIXELS.largest_code, PIXELS.range_max) == (255, 255.0)


@given(FLOATS)
def test_rounding_gives_whole_numbers_exactly(value):
    x = torch.tensor([value])
    assert torch.equal(round_through(x), torch.round(x))
    assert torch.equal(floor_through(x), torch.floor(x))


@pytest.mark.parametrize("through", [round_through, floor_through])
def test_rounding_passes_the_gradient_unchanged(through):
    x = torch.tensor([0.2, 0.5, -1.7], requires_grad=True)
    (through(x) * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert x.grad.tolist() == [1.0, 2.0, 3.0]


def test_halves_are_rounded_to_even():
    assert round_through(torch.tensor([0.5, 1.5, 2.5, -0.5, -1.5])).tolist() == [0, 2, 2, 0, -2]


@pytest.mark.parametrize(("x", "exponent"), [(1.0, 0), (1.01, 1), (0.5, -1), (0.51, 0), (3.0, 2), (4.0, 2)])
def test_the_exponent_is_that_of_the_power_of_two_at_or_above(x, exponent):
    assert ceil_log2(torch.tensor(x)) == exponent


def test_the_largest_weight_of_each_channel_takes_the_largest_code():
    weight = torch.tensor([[0.875, -0.25], [-14.0, 7.0]])
    assert weight_scale(weight, 4, per_channel=True).tolist() == [0.125, 2.0]
    assert weight_scale(weight, 4, per_channel=False).item() == 2.0
    assert weight_scale(weight, 2, per_channel=True).tolist() == [0.875, 14.0]


def test_the_scale_of_dead_weights_is_not_zero():
    assert weight_scale(torch.zeros(2, 3), 4, per_channel=True).tolist() == pytest.approx([1e-6, 1e-6])


def test_weights_are_divided_rounded_and_clipped():
    scale = torch.tensor([0.125, 2.0])
    weight = torch.tensor([[0.875, -0.3125, 0.0625, 2.0], [-14.0, 7.0, 5.1, -40.0]])
    # In codes: 7, -2.5, 0.5, 16 and -7, 3.5, 2.55, -20; halves go to even.
    assert weight_codes(weight, scale, 4).tolist() == [[7, -2, 0, 7], [-7, 4, 3, -8]]


@given(st.integers(0, 9999), st.integers(2, 8), st.booleans())
@settings(max_examples=50)
def test_weight_codes_lie_on_the_grid_and_equal_the_reference(seed, bits, per_channel):
    weight = weights(seed)
    scale = weight_scale(torch.from_numpy(weight), bits, per_channel=per_channel)
    codes = weight_codes(torch.from_numpy(weight), scale, bits)
    top = 2 ** (bits - 1) - 1
    assert codes.abs().amax() == top
    expected, expected_scale = weight_grid(weight, bits, per_channel)
    np.testing.assert_array_equal(codes.numpy(), expected)
    np.testing.assert_array_equal(scale.expand(5).numpy(), expected_scale)


@given(st.integers(0, 9999), st.integers(2, 8), st.booleans())
@settings(max_examples=50)
def test_quantizing_weights_twice_equals_once(seed, bits, per_channel):
    weight = torch.from_numpy(weights(seed))
    scale = weight_scale(weight, bits, per_channel=per_channel)
    codes = weight_codes(weight, scale, bits)
    on_grid = codes * (scale.view(-1, 1, 1, 1) if per_channel else scale)
    again = weight_codes(on_grid, weight_scale(on_grid, bits, per_channel=per_channel), bits)
    assert torch.equal(codes, again)


@given(st.integers(0, 9999), st.integers(2, 8))
@settings(max_examples=50)
def test_no_weight_moves_by_more_than_half_a_step(seed, bits):
    weight = torch.from_numpy(weights(seed)).double()
    scale = weight_scale(weight, bits, per_channel=True)
    error = (weight_codes(weight, scale, bits) * scale.view(-1, 1, 1, 1) - weight).abs()
    assert torch.all(error <= scale.view(-1, 1, 1, 1) * (0.5 + 1e-9))


def test_the_gradient_passes_to_weights_inside_the_range_only():
    weight = torch.tensor([[0.3, 5.0]], requires_grad=True)
    weight_codes(weight, torch.tensor([0.25]), 4).sum().backward()
    assert weight.grad.tolist() == [[4.0, 0.0]]  # 1 / scale; 20 steps lie outside


@pytest.mark.parametrize(
    ("bias", "scale", "frac_bits", "expected"),
    [
        (10.0, 0.25, 4, 640),  # 40 codes, 6 bits: one fractional bit of its own, 80, then 3 to the left
        (10.1, 0.25, 4, 648),  # 80.8 becomes 81
        (-300.0, 1.0, 4, -4800),  # 9 bits: drops two, -75, then 6 to the left
        (0.0, 0.25, 4, 0),
        (0.3, 1.0, 4, 5),  # 4.8 sixteenths: no more fractional bits than the accumulator has
        (32.0, 0.25, 4, 2032),  # 128 codes fit no 7 bits: 127
        (-32.0, 0.25, 4, -2048),  # -128 does fit
        (77.0, 1.0, 0, 77),
        (300.0, 1.0, 0, 300),
        (301.0, 1.0, 0, 300),  # 75.25 fours
    ],
)
def test_a_bias_keeps_seven_bits_and_is_shifted_to_the_accumulator(bias, scale, frac_bits, expected):
    assert bias_codes(torch.tensor([bias]), torch.tensor([scale]), frac_bits).item() == expected


@given(FLOATS, SCALES, st.integers(0, 8))
@settings(max_examples=150)
def test_bias_codes_equal_the_reference_in_whole_numbers(bias, scale, frac_bits):
    codes = bias_codes(torch.tensor([bias]), torch.tensor([scale], dtype=torch.float32), frac_bits)
    assert codes.item() == aligned(bias, scale, frac_bits, value_bits=7)


@given(FLOATS, SCALES, st.integers(0, 8))
@settings(max_examples=150)
def test_a_bias_moves_by_half_a_code_or_by_a_128th_of_itself(bias, scale, frac_bits):
    codes = bias_codes(torch.tensor([bias]), torch.tensor([scale], dtype=torch.float32), frac_bits).item()
    lsb = scale * 2.0**-frac_bits
    assert codes == int(codes)
    assert abs(codes * lsb - bias) <= max(0.5 * lsb, abs(bias) / 128) * (1 + 1e-5)


@pytest.mark.parametrize(
    ("bound", "scale", "frac_bits", "expected"),
    [
        (1.0, 0.1875, 4, 85),  # 5.333 codes, 85.33 sixteenths
        (1.0, 0.0078125, 4, 2040),  # 128 codes: one bit of its own, 256 does not fit: 255, 3 to the left
        (1.0, 0.01, 7, 12800),  # 100 codes: one bit of its own, 200, then 6 to the left
    ],
)
def test_a_bound_keeps_eight_bits_on_the_accumulator(bound, scale, frac_bits, expected):
    assert bound_codes(bound, torch.tensor([scale]), frac_bits).item() == expected


@pytest.mark.parametrize(
    ("scale", "mantissa", "exponent"),
    [
        (0.75, 192, 8),
        (3.0, 192, 6),
        (0.3, 154, 9),  # 153.6
        (1.0, 255, 8),  # 256 does not fit
        (0.5, 255, 9),
        (0.501, 128, 8),
    ],
)
def test_an_output_scale_is_an_eight_bit_mantissa_and_an_exponent(scale, mantissa, exponent):
    assert [part.item() for part in scale_mantissa(torch.tensor([scale]))] == [mantissa, exponent]


@given(SCALES)
@settings(max_examples=150)
def test_mantissa_and_exponent_equal_the_reference_and_stay_within_a_256th(scale):
    mantissa, exponent = (part.item() for part in scale_mantissa(torch.tensor([scale], dtype=torch.float32)))
    assert (mantissa, exponent) == mantissa_and_exponent(np.float32(scale))
    assert 128 <= mantissa <= 255
    assert mantissa * 2.0**-exponent == pytest.approx(scale, rel=1 / 256)
