import numpy as np
import pytest
import torch
from small_networks import pixels, settled_network

from qana.backbone.unit import Unit
from qana.quantization import fold
from qana.quantization.calibrate import calibrate
from qana.quantization.clipping import Clipping, best_clip


def values():
    numbers = np.random.default_rng(4)
    return torch.from_numpy(np.maximum(numbers.gamma(1.0, 0.5, 5000) - 0.3, 0)).float()


def test_max_clips_nothing():
    assert Clipping("max", 50.0, 4)(values()) == values().max().item()


@pytest.mark.parametrize("percentile", [50.0, 99.0, 100.0])
def test_a_percentile_is_that_of_numpy_over_the_values_above_zero(percentile):
    alive = values()[values() > 0].numpy()
    assert Clipping("percentile", percentile, 4)(values()) == pytest.approx(np.percentile(alive, percentile))


def test_mse_is_the_clip_that_loses_least():
    assert Clipping("mse", 50.0, 3)(values()) == best_clip(values(), 3)


@pytest.mark.parametrize("method", ["max", "percentile", "mse"])
def test_a_dead_layer_is_clipped_at_one(method):
    assert Clipping(method, 99.0, 4)(torch.zeros(2, 3)) == 1.0


def share_at_the_bound(method, percentile):
    """Share of the activations above zero that calibration clipped, over all layers."""
    folded, clipped, alive = fold(settled_network("qana", "separable")), 0, 0
    calibrate(folded, pixels(8), clipping=Clipping(method, percentile, 4))
    outputs = []
    for unit in (module for module in folded.modules() if isinstance(module, Unit)):
        if unit.relu is not None:
            unit.register_forward_hook(lambda _, __, out: outputs.append(out))
    folded(pixels(8))
    for out in outputs:
        clipped, alive = clipped + (out >= 1.0).sum().item(), alive + (out > 0).sum().item()
    return clipped / alive


def test_methods_clip_as_much_as_they_say():
    most, least = share_at_the_bound("max", 100.0), share_at_the_bound("percentile", 80.0)
    assert most < 0.02  # the largest value of a layer, and what rounding puts beside it
    assert 0.05 < least < 0.5
