import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from qana.backbone.padding import convolve_same, same_padding

SIZES = st.integers(1, 300)
KERNELS = st.sampled_from([1, 3, 5, 7])
STRIDES = st.sampled_from([1, 2])


@given(SIZES, KERNELS, STRIDES)
def test_padding_follows_the_published_rule(size, kernel_size, stride):
    # tf.nn, "Notes on padding": the two cases by the remainder of size and stride.
    remainder = size % stride
    total = max(kernel_size - (stride if remainder == 0 else remainder), 0)
    before, after = same_padding(size, kernel_size, stride)
    assert (before + after, before) == (total, total // 2)


@given(SIZES, KERNELS, STRIDES)
def test_a_valid_convolution_behind_it_gives_a_ceiled_share_of_positions(size, kernel_size, stride):
    padded = size + sum(same_padding(size, kernel_size, stride))
    assert (padded - kernel_size) // stride + 1 == (size + stride - 1) // stride


@pytest.mark.parametrize(("size", "expected"), [(64, (0, 1)), (63, (1, 1)), (2, (0, 1)), (1, (1, 1))])
def test_stride_two_pads_an_even_size_behind_only(size, expected):
    assert same_padding(size, kernel_size=3, stride=2) == expected


def position_by_position(x, weight, stride):
    """One channel, one kernel, TensorFlow's `same`."""
    rows, columns = (-(-size // stride) for size in x.shape)
    width = weight.shape[0]
    top, left = (
        max((outputs - 1) * stride + width - size, 0) // 2
        for outputs, size in zip((rows, columns), x.shape, strict=True)
    )
    out = np.zeros((rows, columns))
    for row, column, i, j in np.ndindex(rows, columns, width, width):
        y, z = row * stride + i - top, column * stride + j - left
        if 0 <= y < x.shape[0] and 0 <= z < x.shape[1]:
            out[row, column] += x[y, z] * weight[i, j]
    return out


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3, 5]), STRIDES, st.integers(0, 99))
@settings(max_examples=60)
def test_a_convolution_equals_one_written_out_position_by_position(height, width, kernel_size, stride, seed):
    numbers = np.random.default_rng(seed)
    x = numbers.integers(-9, 10, (height, width)).astype(float)
    weight = numbers.integers(-9, 10, (kernel_size, kernel_size)).astype(float)
    out = convolve_same(torch.from_numpy(x)[None, None], torch.from_numpy(weight)[None, None], stride=stride)
    np.testing.assert_array_equal(out[0, 0].numpy(), position_by_position(x, weight, stride))


def test_bias_is_added_and_groups_are_kept_apart():
    x, weight, bias = torch.randn(2, 4, 6, 5), torch.randn(4, 1, 3, 3), torch.randn(4)
    out = convolve_same(x, weight, bias, stride=2, groups=4)
    for channel in range(4):
        one = slice(channel, channel + 1)
        alone = convolve_same(x[:, one], weight[one], bias[one], stride=2)
        torch.testing.assert_close(out[:, one], alone)
