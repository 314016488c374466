"""A last activation of 1 bit: on its grid, trained like the others, and refused where it cannot be."""

import pytest
import torch
from small_networks import pixels, settled_network

from qana.errors import QanaError
from qana.quantization import EdgeQuantization

SETTINGS = dict(
    weight_bits=4,
    weight_rule="max",
    activation_bits=4,
    input_weight_bits=8,
    generation=1,
    calibration="mse",
    percentile=99.9,
    ranges="calibrated",
    calibration_images=8,
    last_activation_bits=1,
)


@pytest.mark.parametrize("name", ["qana", "akidanet"])
def test_only_the_last_activation_has_one_bit(name):
    network = EdgeQuantization(**SETTINGS).apply(settled_network(name, "separable"), pixels(8)).eval()
    *hidden, last, head = network.units()
    assert [unit.output_grid.value_bits for unit in (*hidden, last)] == [4] * len(hidden) + [1]
    assert head.input_grid == last.output_grid
    codes = network.blocks[:-1](pixels(8))
    assert set(codes.unique().tolist()) == {0.0, 1.0}


def test_the_bit_is_spent_where_it_tells_images_apart():
    network = EdgeQuantization(**SETTINGS).apply(settled_network("akidanet", "separable"), pixels(16)).eval()
    share = network.blocks[:-1](pixels(16)).mean().item()
    assert 0.05 < share < 0.95


def test_the_gradient_passes_through_the_bit():
    network = EdgeQuantization(**SETTINGS).apply(settled_network("akidanet", "separable"), pixels(8))
    network(pixels(8)).square().sum().backward()
    conv = network.units()[-2].unit.weighted()[-1]
    assert torch.isfinite(conv.weight.grad).all()
    assert conv.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    "changes", [dict(last_activation_bits=0), dict(last_activation_bits=5), dict(generation=2)]
)
def test_a_width_that_no_chip_learns_from_is_refused(changes):
    with pytest.raises(QanaError, match="no last activation") as caught:
        EdgeQuantization(**{**SETTINGS, **changes})
    assert "last_activation_bits" in caught.value.where
