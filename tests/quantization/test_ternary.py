import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import pixels, scheme_for, settled_network

from qana.quantization.grid import weight_scale
from qana.quantization.ternary import scale_and_codes


def weights(seed, size=40):
    numbers = np.random.default_rng(seed)
    spread = 10.0 ** numbers.uniform(-3, 2, (6, 1, 1, 1))
    return torch.from_numpy((numbers.normal(size=(6, size, 1, 1)) * spread).astype(np.float32))


def test_threshold_and_scale_are_those_of_the_paper():
    weight = torch.tensor([[0.1, -0.2, 1.0, -1.5]])  # mean magnitude 0.7, threshold 0.49
    scale, codes = scale_and_codes(weight, 2, "ternary")
    assert scale.item() == pytest.approx(1.25)
    assert codes.tolist() == [[0, 0, 1, -1]]


@given(st.integers(0, 9999))
@settings(max_examples=40)
def test_codes_and_scales_equal_a_second_writing_in_numpy(seed):
    weight = weights(seed)
    scale, codes = scale_and_codes(weight, 2, "ternary")
    flat = weight.flatten(1).double().numpy()
    for row, own, found in zip(flat, scale, codes.flatten(1).numpy(), strict=True):
        above = np.abs(row) > 0.7 * np.abs(row).mean()
        np.testing.assert_array_equal(found, np.sign(row) * above)
        assert own.item() == pytest.approx(np.abs(row)[above].mean(), rel=2.0**-12)


@given(st.integers(0, 9999), st.sampled_from([1, 3, 40, 5000]))
@settings(max_examples=40, deadline=None)
def test_weights_on_the_grid_stay_there_and_show_their_scale_as_their_largest(seed, size):
    scale, codes = scale_and_codes(weights(seed, size), 2, "ternary")
    snapped = codes * scale.view(-1, 1, 1, 1)
    again, same = scale_and_codes(snapped, 2, "ternary")
    assert torch.equal(codes, same)
    assert torch.equal(scale, again)
    assert torch.equal(weight_scale(snapped, 2, per_channel=True), scale)  # quantizeml's own rule


def test_the_gradient_passes_as_if_nothing_were_rounded():
    weight = weights(1).requires_grad_()
    scale, codes = scale_and_codes(weight, 2, "ternary")
    codes.sum().backward()
    torch.testing.assert_close(weight.grad, (1 / scale).view(-1, 1, 1, 1).expand_as(weight))


def test_dead_channels_have_a_finite_scale():
    scale, codes = scale_and_codes(torch.zeros(2, 3), 2, "ternary")
    assert scale.tolist() == pytest.approx([1e-6, 1e-6])
    assert codes.abs().max() == 0


def test_all_layers_but_the_first_and_depthwise_kernels_are_ternary():
    scheme = scheme_for(1, 2, activation_bits=4, weight_rule="ternary")
    network = scheme.apply(settled_network("qana", "separable"), pixels(8))
    assert [unit.rule for unit in network.units()] == ["max"] + ["ternary"] * (len(network.units()) - 1)
    network.eval()
    before = network(pixels(8))
    network.snap()
    assert torch.equal(network(pixels(8)), before)
    for unit in network.units()[1:]:
        kernels = unit.unit.weighted()[-1].weight.flatten(1)
        largest = kernels.abs().amax(1, keepdim=True)
        assert set((kernels / largest).unique().tolist()) <= {-1.0, 0.0, 1.0}
