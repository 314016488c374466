"""The Add of Akida v2 on integers: by hand, and inside a network."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import pixels, scheme_for, settled, settled_network, small_network

from qana.quantization.calibrate import best_power_of_two, calibrate
from qana.quantization.clipping import Clipping
from qana.quantization.fold import fold
from qana.quantization.grid import ActivationGrid
from qana.quantization.sum import QuantizedSum


def summed(a, b, first, second, bound):
    layer = QuantizedSum(bound)
    layer.input_grids = (ActivationGrid(4, first), ActivationGrid(4, second))
    return layer(torch.tensor(a, dtype=torch.float64), torch.tensor(b, dtype=torch.float64)).tolist()


def test_inputs_are_shifted_to_the_finer_grid_before_they_are_added():
    # 3/16 + 5/8 = 13/16 of a step of 1/128 each: 104
    assert summed([3.0], [5.0], 4, 3, bound=1.0) == [104.0]


def test_a_sum_saturates_at_the_top_of_its_range():
    assert summed([15.0, 8.0], [15.0, 8.0], 4, 4, bound=1.0) == [127.0, 127.0]


def test_a_coarser_output_rounds_half_up():
    # 1/16 + 0 is half a step of 2**-3: 1. 3/16 is 1.5 steps: 2. Bound 16 has 7 - 4 = 3 fractional bits.
    assert summed([1.0, 3.0, 2.0], [0.0, 0.0, 0.0], 4, 4, bound=16.0) == [1.0, 2.0, 1.0]


@settings(max_examples=60, deadline=None)
@given(
    a=st.integers(0, 127),
    b=st.integers(0, 15),
    first=st.integers(0, 7),
    second=st.integers(0, 4),
    exponent=st.integers(0, 5),
)
def test_it_is_the_rounded_sum_of_the_real_values(a, b, first, second, exponent):
    real = a * 2.0**-first + b * 2.0**-second
    expected = min(np.floor(real * 2.0 ** (7 - exponent) + 0.5), 127)
    assert summed([float(a)], [float(b)], first, second, bound=2.0**exponent) == [expected]


def test_the_gradient_passes_below_saturation_and_stops_above():
    layer = QuantizedSum(1.0)
    layer.input_grids = (ActivationGrid(4, 4), ActivationGrid(4, 4))
    a, b = torch.tensor([3.0, 15.0], requires_grad=True), torch.tensor([2.0, 15.0])
    layer(a, b).sum().backward()
    assert a.grad.tolist() == [8.0, 0.0]


def test_a_sum_without_input_grids_is_a_bug():
    with pytest.raises(RuntimeError, match="linked"):
        QuantizedSum(1.0)(torch.zeros(1), torch.zeros(1))


@pytest.mark.parametrize(("values", "bound"), [([0.2, 0.7], 1.0), ([0.5, 3.0], 4.0), ([0.0], 1.0)])
def test_the_bound_of_a_way_is_a_power_of_two_of_at_least_one(values, bound):
    assert best_power_of_two(torch.tensor(values), value_bits=7) == bound


def test_calibration_with_fine_steps_keeps_the_answers():
    network = settled_network("resnet_small", "concat")
    calibrated = fold(network)
    calibrate(calibrated, pixels(16), clipping=Clipping("mse", 99.9, 16))
    expected = network(pixels(16))
    # The bounds of branches move to the next power of two, so a few of the largest values differ.
    assert float((calibrated(pixels(16)) - expected).abs().mean()) < 0.02 * float(expected.std())


@pytest.mark.parametrize(("bits", "least"), [(4, 0.9), (8, 0.99)])
def test_a_quantized_resnet_follows_its_float_one(bits, least):
    network = settled_network("resnet_small", "concat")
    scheme = scheme_for(2, bits, calibration_images=16)
    quantized = scheme.apply(network, pixels(16)).eval()
    images = pixels(32, seed=1)
    with torch.no_grad():
        answers = torch.stack((network(images).flatten(), quantized(images).flatten()))
    assert torch.corrcoef(answers)[0, 1] > least
    sums = [layer for layer in quantized.layers() if isinstance(layer, QuantizedSum)]
    assert len(sums) == 3
    assert all(codes.frac_bits <= 7 for layer in sums for codes in layer.input_grids)


def test_additive_attention_is_quantized_with_its_network():
    network = settled(small_network("qana", "concat", attention_form="additive"), images=pixels(16))
    scheme = scheme_for(2, 8, calibration_images=16)
    quantized = scheme.apply(network, pixels(16)).eval()
    images = pixels(32, seed=1)
    with torch.no_grad():
        answers = torch.stack((network(images).flatten(), quantized(images).flatten()))
    assert torch.corrcoef(answers)[0, 1] > 0.98
    assert sum(isinstance(layer, QuantizedSum) for layer in quantized.layers()) == 2
