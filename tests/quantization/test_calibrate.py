import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import KINDS, alone, pixels, settled_network

from qana.backbone.ghost import GhostModule
from qana.backbone.unit import ConvUnit, HeadUnit, Unit
from qana.quantization import fold
from qana.quantization.calibrate import calibrate
from qana.quantization.clipping import Clipping, best_clip


def squared_error(values, clip, value_bits):
    """Mean square of what quantization to `value_bits` below `clip` changes; halves are rounded up."""
    levels = 2**value_bits
    codes = np.clip(np.floor(values * levels / clip + 0.5), 0, levels - 1)
    return np.mean((codes * clip / levels - values) ** 2)


def activations(seed, size=2000):
    """Rectified values with a long tail, as behind a ReLU."""
    numbers = np.random.default_rng(seed)
    return np.maximum(numbers.gamma(1.0, 0.5, size) - 0.2, 0) * numbers.uniform(0.1, 10)


@given(st.integers(0, 9999), st.sampled_from([2, 4, 7]))
@settings(max_examples=30)
def test_no_other_candidate_loses_less(seed, value_bits):
    values = activations(seed)
    clip = best_clip(torch.from_numpy(values), value_bits)
    candidates = values.max() * np.arange(1, 41) / 40
    errors = [squared_error(values, candidate, value_bits) for candidate in candidates]
    assert np.isclose(clip, candidates, rtol=1e-6).any()
    assert squared_error(values, clip, value_bits) <= min(errors) * (1 + 1e-4)


def test_forty_candidates_come_near_to_the_best_of_thousands():
    values = activations(1)
    clip = best_clip(torch.from_numpy(values), 4)
    finest = min(squared_error(values, share * values.max(), 4) for share in np.linspace(0.01, 1.2, 4000))
    assert squared_error(values, clip, 4) < 1.05 * finest


def test_an_outlier_is_clipped_away():
    values = torch.cat((torch.linspace(0, 1, 10_000), torch.tensor([4.0])))
    assert best_clip(values, 4) == pytest.approx(1.0, abs=0.15)


def test_without_any_activation_the_bound_is_one():
    assert best_clip(torch.zeros(3, 4), 4) == 1.0


def test_a_large_layer_is_sampled_without_changing_the_choice_much():
    values = torch.from_numpy(activations(2, 500_000)).float()
    clip = best_clip(values, 4)
    finest = min(squared_error(values.numpy(), clip * share, 4) for share in np.linspace(0.5, 2, 60))
    assert squared_error(values.numpy(), clip, 4) < 1.1 * finest


@pytest.mark.parametrize(("name", "form"), KINDS)
def test_every_activation_ends_bounded_at_one(name, form):
    folded, largest = fold(settled_network(name, form)), []
    calibrate(folded, pixels(8), clipping=Clipping("mse", 99.9, 4))
    units = [module for module in folded.modules() if isinstance(module, Unit) and module.relu is not None]
    for unit in units:
        unit.register_forward_hook(lambda _, __, out: largest.append(out.max().item()))
    folded(pixels(8, seed=1))
    assert {unit.relu.bound for unit in units} == {1.0}
    assert len(largest) == len(units)
    assert max(largest) <= 1.0
    assert min(largest) > 0.3  # the range is used


@pytest.mark.parametrize(("name", "form"), KINDS)
def test_the_outputs_stay_where_nothing_is_clipped(name, form):
    network, images = settled_network(name, form), pixels(8)
    folded = fold(network)
    expected = folded(images)
    # 2**16 levels: any clipping would cost more than it gains.
    calibrate(folded, images, clipping=Clipping("mse", 99.9, 16))
    torch.testing.assert_close(folded(images), expected, atol=2e-5, rtol=2e-5)


def test_four_bits_clip_and_change_the_outputs_little():
    folded, images = fold(settled_network("qana", "separable")), pixels(8)
    expected = folded(images)
    calibrate(folded, images, clipping=Clipping("mse", 99.9, 4))
    error = (folded(images) - expected).abs().max()
    assert 1e-4 < error < 0.3 * (expected.max() - expected.min())


def test_a_ghost_without_cheap_activation_keeps_its_outputs_too():
    torch.manual_seed(0)
    blocks = [
        ConvUnit(3, 4, kernel_size=3, bound=4.0, input_scale=1 / 255),
        GhostModule(4, 8, bound=4.0, cheap_activation=False),
        ConvUnit(8, 6, kernel_size=1, bound=4.0, pool="global_after_relu"),
        HeadUnit(6, 3),
    ]
    folded, images = fold(alone(*blocks)), pixels(8)
    expected = folded(images)
    calibrate(folded, images, clipping=Clipping("mse", 99.9, 16))
    torch.testing.assert_close(folded(images), expected, atol=2e-5, rtol=2e-5)


def test_a_dead_layer_stays_finite():
    folded = fold(settled_network("akidanet", "separable"))
    with torch.no_grad():
        folded.blocks[1].conv.weight.zero_()
        folded.blocks[1].conv.bias.fill_(-1.0)
    calibrate(folded, pixels(4), clipping=Clipping("mse", 99.9, 4))
    assert all(torch.isfinite(value).all() for value in folded.state_dict().values())
