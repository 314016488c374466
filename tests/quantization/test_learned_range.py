"""Gradients of learned ranges against the published formulas and against difference quotients."""

import copy
import math

import pytest
import torch
from small_networks import GENERATION, KINDS, alone, pixels, scheme_for, settled_network
from torch import nn

from qana.backbone.unit import ConvUnit, HeadUnit
from qana.errors import QanaError
from qana.quantization import QuantizedNetwork
from qana.quantization.learned_range import learn_ranges, learned_ranges
from qana.quantization.unit import Bits


def learning(name, form):
    scheme = scheme_for(GENERATION[form], ranges="learned")
    return scheme.apply(settled_network(name, form), pixels(8))


def moved(network):
    with torch.no_grad():
        for index, unit in enumerate(network.units()):
            if unit.range is not None:
                unit.range.log2.fill_(0.17 * (index % 5 - 2))
    return network


def one_layer(generation, weight):
    """A 1x1 layer over pixels and a head that passes its channels on; no bias anywhere."""
    pool = "none"
    layer = ConvUnit(3, 2, kernel_size=1, bound=1.0, pool=pool)
    layer.norm, layer.conv.bias = nn.Identity(), nn.Parameter(torch.zeros(2))
    head = HeadUnit(2, 2)
    with torch.no_grad():
        layer.conv.weight.copy_(torch.tensor(weight).view(2, 3, 1, 1))
        head.conv.weight.copy_(torch.eye(2).view(2, 2, 1, 1))
        head.conv.bias.zero_()
    network = QuantizedNetwork(
        alone(layer, head), bits=Bits(4, 4, 7), input_weight_bits=8, generation=generation
    )
    learn_ranges(network)
    return network.train()


SCALE = 0.75 * 2.0**-10  # its 8-bit mantissa, 192, is exact
WEIGHT = [[127 * SCALE, SCALE, 0.0], [127 * SCALE, 0.0, 2 * SCALE]]


@pytest.mark.parametrize("generation", [1, 2])
@pytest.mark.parametrize("red", [0.0, 1.0, 2.0, 3.0, 5.0, 200.0])
def test_the_gradient_is_that_of_a_learned_step_size(generation, red):
    """LSQ, eq. 3, per channel: y - v inside, the largest level above, 0 below; times r ln 2 for log2 r."""
    network = one_layer(generation, WEIGHT)
    pixel = torch.tensor([red, 0.0, 0.0]).view(1, 3, 1, 1)
    answer = network(pixel)
    answer[0, 0].backward()
    value = red * 127 * SCALE  # of the first channel, before its ReLU
    level = 15 / 16 if value > 15.5 / 16 else round(value * 16) / 16
    expected = level if value > 15.5 / 16 else level - value
    found = network.units()[0].range.log2.grad.item()
    assert answer[0, 0].item() == pytest.approx(level, rel=1e-3)
    assert found == pytest.approx(expected * math.log(2), abs=3e-4)  # v1 keeps its step in sixteenths


@pytest.mark.parametrize("generation", [1, 2])
def test_above_the_range_the_gradient_is_the_difference_quotient_of_the_network(generation):
    network = one_layer(generation, WEIGHT)
    pixel = torch.full((1, 3, 1, 1), 255.0)  # all channels far above their range
    network(pixel).sum().backward()
    log2 = network.units()[0].range.log2

    def answer(at):
        with torch.no_grad():
            log2.fill_(at)
            return network(pixel).sum().item()

    quotient = (answer(0.01) - answer(-0.01)) / 0.02
    assert quotient > 0.5
    assert log2.grad.item() == pytest.approx(quotient, rel=1e-3)


@pytest.mark.parametrize(("name", "form"), KINDS)
def test_ranges_begin_where_calibration_put_them(name, form):
    network = learning(name, form).eval()
    plain = copy.deepcopy(network)
    for unit in plain.units():
        unit.range, unit.input_ranges = None, ()
    assert torch.equal(network(pixels(8)), plain(pixels(8)))
    assert {value.item() for value in learned_ranges(network)} == {1.0}


@pytest.mark.parametrize(("name", "form"), KINDS)
def test_snapping_folds_the_ranges_into_weights_and_keeps_the_outputs(name, form):
    network = moved(learning(name, form)).eval()
    still = learning(name, form).eval()
    before = network(pixels(8, seed=3))
    assert not torch.equal(before, still(pixels(8, seed=3)))
    network.snap()
    assert torch.equal(network(pixels(8, seed=3)), before)
    assert {value.item() for value in learned_ranges(network)} == {1.0}


@pytest.mark.parametrize(("name", "form"), KINDS)
def test_a_step_of_training_moves_every_range(name, form):
    network = learning(name, form)
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    nn.functional.cross_entropy(network(pixels(8)), torch.arange(8) % 3).backward()
    optimizer.step()
    ranges = learned_ranges(network)
    assert len(ranges) == sum(unit.unit.relu is not None for unit in network.units())
    assert all(value.item() != 1.0 and value.item() > 0 for value in ranges)


@pytest.mark.parametrize(("name", "form"), KINDS)
def test_every_range_has_its_place_in_the_checkpoint_once(name, form):
    network = learning(name, form)
    keys = [key for key in network.state_dict() if "log2" in key]
    assert len(keys) == len(learned_ranges(network))
    other = learning(name, form)
    other.load_state_dict(moved(network).state_dict())
    assert torch.equal(other.eval()(pixels(8)), network.eval()(pixels(8)))
    assert other.units()[1].input_ranges[0].range is other.units()[0].range


def test_blocks_whose_ranges_hang_together_are_refused_by_name():
    network = learning("qana", "separable")
    network.blocks.insert(1, nn.Identity())
    with pytest.raises(QanaError, match=r"blocks\.1 \(Identity\)") as refusal:
        learn_ranges(network)
    assert "quantization.ranges" in refusal.value.where
