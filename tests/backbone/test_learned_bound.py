"""A bound that is learned onto a power of two, and what folding and quantization make of it."""

import math

import pytest
import torch
from small_networks import pixels, scheme_for, settled, small_network

from qana.backbone.bounded_relu import BoundedReLU
from qana.backbone.learned_bound import LearnedBoundReLU, learn_bounds
from qana.backbone.unit import ConvUnit, Unit
from qana.errors import QanaError
from qana.quantization import fold
from qana.quantization.calibrate import calibrate
from qana.quantization.clipping import Clipping

VALUES = torch.tensor([-1.0, 0.5, 1.9, 2.1, 7.0])


def test_it_is_a_bounded_relu_at_the_nearest_power_of_two():
    relu = LearnedBoundReLU(2.0)
    assert torch.equal(relu(VALUES), BoundedReLU(2.0)(VALUES))
    with torch.no_grad():
        relu.log2_bound.fill_(1.6)
    assert relu.bound == 4.0
    assert torch.equal(relu(VALUES), BoundedReLU(4.0)(VALUES))


def test_the_gradient_of_the_bound_is_that_of_the_clipped_values():
    relu = LearnedBoundReLU(2.0)
    relu(VALUES).sum().backward()
    # two values are clipped, and each follows 2**e with 2 ln 2
    assert float(relu.log2_bound.grad) == pytest.approx(2 * 2.0 * math.log(2), rel=1e-6)


def test_the_gradient_passes_between_zero_and_the_bound_only():
    x = VALUES.clone().requires_grad_()
    LearnedBoundReLU(2.0)(x).sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 1.0, 0.0, 0.0]


def test_training_moves_the_bound_to_the_power_of_two_that_the_data_wants():
    relu = LearnedBoundReLU(1.0)
    x = torch.linspace(0.0, 4.0, 256)
    optimizer = torch.optim.SGD(relu.parameters(), lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        (relu(x) - x).square().mean().backward()
        optimizer.step()
    assert relu.bound == 4.0


def test_a_bound_that_is_no_power_of_two_is_refused():
    with pytest.raises(QanaError, match="not a power of two"):
        LearnedBoundReLU(3.0)


@pytest.mark.parametrize("form", ["separable", "concat"])
def test_every_activation_of_the_network_learns(form):
    units = [m for m in small_network("qana", form, learned_bounds=True).modules() if isinstance(m, Unit)]
    assert {type(unit.relu) for unit in units[:-1]} == {LearnedBoundReLU}
    assert units[-1].relu is None


def test_the_ways_into_a_sum_keep_their_bounds():
    network = small_network("qana", "concat", learned_bounds=True, attention_form="additive")
    fixed = [path for path, module in network.named_modules() if type(module) is BoundedReLU]
    assert fixed == ["blocks.4.branch.0.relu", "blocks.8.branch.0.relu"]


@pytest.mark.parametrize("learned", [0.5, 1.0, 2.0])
def test_folding_and_calibration_keep_the_learned_bound(learned):
    network = settled(small_network("qana", "concat"), images=pixels(8))
    learn_bounds(network)
    stem = network.blocks[0]
    assert isinstance(stem, ConvUnit)
    with torch.no_grad():
        stem.relu.log2_bound.fill_(math.log2(learned) + 0.2)
    expected = network(pixels(4))

    folded = fold(network)
    assert folded.blocks[0].relu.bound == learned
    before = folded.blocks[0](pixels(4))
    calibrate(folded, pixels(8), clipping=Clipping("mse", 99.9, 4))
    after = folded.blocks[0](pixels(4))

    assert float(before.max()) == learned  # something is clipped
    torch.testing.assert_close(after * learned, before, atol=1e-5, rtol=1e-5)
    # every bound was learned, so nothing is clipped anywhere that was not before
    torch.testing.assert_close(folded(pixels(4)), expected, atol=1e-3, rtol=1e-3)


def test_a_network_with_learned_bounds_is_quantized():
    network = settled(small_network("qana", "separable", learned_bounds=True), images=pixels(8))
    scheme = scheme_for(1)
    quantized = scheme.apply(network, pixels(8)).eval()
    assert not any(isinstance(module, LearnedBoundReLU) for module in quantized.modules())
    assert quantized(pixels(4)).std(0).min() > 0
