"""The rewrite of a float network as a spiking one, against hand calculations and the float network itself."""

import math

import numpy as np
import pytest
import torch
from small_networks import alone, pixels
from spiking_cases import KINDS, clipped, folded, images, run, spiking, two_layers

from qana.backbone.unit import ConvUnit, HeadUnit, SeparableUnit
from qana.conversion.parity import torch_logits
from qana.conversion.snn.balance import balanced_thresholds
from qana.conversion.snn.fan_out import fan_out
from qana.conversion.snn.network import SpikingNetwork
from qana.quantization import fold

PIXEL = np.array([1, 2, 3], dtype=np.uint8).reshape(1, 1, 1, 3)


@pytest.mark.parametrize("start", [0.0, 0.5])
def test_two_layers_are_the_clipped_and_quantized_network_by_hand(start):
    """Pixels 1, 2, 3 give currents 0.25 + 1 + 0.125 = 1.375 and -1 + 1.5 + 0.25 = 0.75; the threshold is 1.

    The first neuron is driven past it and fires at every step, the second floor(0.75 T + start) times in T; a
    spike weighs 1, so the logit is 2 * 1 - 3 * floor(0.75 T + start) / T + 0.5.
    """
    network = SpikingNetwork(two_layers(), {"blocks.0": 1.0}, start)
    times = (1, 2, 3, 5, 16, 64)
    said = run(network, PIXEL, *times).logits[:, 0, 0]
    assert said.tolist() == pytest.approx([2 - 3 * math.floor(0.75 * t + start) / t + 0.5 for t in times])
    assert said[-1] == 2 - 3 * 0.75 + 0.5  # 0.25, where the network without a clip says 1.0


def test_spikes_and_synaptic_operations_of_two_layers_are_counted_by_hand():
    """In 8 steps 8 spikes of the first neuron and 6 of the second; each arrives at one synapse."""
    read = run(SpikingNetwork(two_layers(), {"blocks.0": 1.0}, 0.0), PIXEL, 4, 8)
    assert read.spikes["blocks.0"].tolist() == [[4 + 3], [8 + 6]]
    assert read.synops["blocks.1"].tolist() == [[4 + 3], [8 + 6]]
    assert read.synops["blocks.0"].tolist() == [[0], [0]]  # pixels are no spikes


@pytest.mark.parametrize("kind", KINDS)
def test_rates_approach_the_clipped_float_network(kind):
    network = folded(kind)
    thresholds = balanced_thresholds(network, pixels(16, seed=1), 99.9)
    seen = images(4)
    wanted = torch_logits(clipped(network, thresholds), seen, batch_size=4)
    said = run(SpikingNetwork(network, thresholds, 0.5), seen, 16, 256).logits
    early, late = (np.abs(logits - wanted).max() for logits in said)
    assert np.ptp(wanted, axis=0).min() > 0.05
    assert late < early / 4  # where the error of a rate is one spike in T
    assert late < 0.05 * np.ptp(wanted)


@pytest.mark.parametrize("kind", ["qana-concat", "akidanet-concat", "vgg_small-concat"])
def test_without_a_clip_rates_approach_the_float_network_itself(kind):
    """At the 100th percentile, of the very images that are shown, nothing is clipped."""
    network, seen = folded(kind), images(4)
    thresholds = balanced_thresholds(network, pixels(4, seed=7), 100.0)
    wanted = torch_logits(network, seen, batch_size=4)
    said = run(SpikingNetwork(network, thresholds, 0.5), seen, 256).logits[0]
    assert np.abs(said - wanted).max() < 0.05 * np.ptp(wanted)
    assert (said.argmax(1) == wanted.argmax(1)).all()


@pytest.mark.parametrize("kind", ["qana-concat", "vgg_small-concat"])
def test_batches_do_not_see_each_other(kind):
    network, seen = spiking(folded(kind)), images(5)
    together, alone_ = run(network, seen, 8), run(network, seen[3:4], 8)
    np.testing.assert_allclose(together.logits[:, 3:4], alone_.logits, rtol=1e-5, atol=1e-5)
    for name in together.spikes:
        np.testing.assert_array_equal(together.spikes[name][:, 3:4], alone_.spikes[name])
        np.testing.assert_array_equal(together.synops[name][:, 3:4], alone_.synops[name])


def test_thresholds_are_percentiles_of_the_activations_that_are_not_zero():
    """Of the two hidden units on one pixel: 1.375 and 0.75, so the median is their mean."""
    seen = torch.from_numpy(PIXEL).permute(0, 3, 1, 2).float()
    assert balanced_thresholds(two_layers(), seen, 50.0) == {"blocks.0": pytest.approx((1.375 + 0.75) / 2)}
    assert balanced_thresholds(two_layers(), seen, 100.0) == {"blocks.0": 1.375}
    silent = two_layers()
    silent.blocks[0].conv.bias.data.fill_(-9.0)
    assert balanced_thresholds(silent, seen, 99.9) == {"blocks.0": 4.0}  # its bound: nothing was seen


def test_every_branch_of_a_ghost_module_has_its_own_threshold():
    network = folded("qana-concat")
    thresholds = balanced_thresholds(network, pixels(16, seed=1), 50.0)
    assert {"blocks.1.primary", "blocks.1.cheap"} <= set(thresholds)
    assert f"blocks.{len(network.blocks) - 1}" not in thresholds  # the head does not fire
    seen = [primary for primary in thresholds if primary.endswith("primary")]
    assert all(thresholds[path] != thresholds[path.replace("primary", "cheap")] for path in seen)


def connections(unit, height, width, y, x):
    """Outputs that change when the input at (y, x) does, by trying it; one channel's worth."""
    probe = torch.zeros(1, unit.weighted()[0].in_channels, height, width)
    probe[0, 0, y, x] = 1.0
    return int((unit.linear(probe) != unit.linear(torch.zeros_like(probe))).sum())


@pytest.mark.parametrize(
    "unit",
    [
        ConvUnit(3, 5, kernel_size=3, bound=1.0),
        ConvUnit(3, 5, kernel_size=3, stride=2, bound=1.0),
        ConvUnit(4, 4, kernel_size=3, depthwise=True, bound=1.0),
        ConvUnit(4, 4, kernel_size=3, stride=2, depthwise=True, bound=1.0),
        ConvUnit(3, 5, kernel_size=1, pool="max", bound=1.0),
        SeparableUnit(3, 6, bound=1.0),
        SeparableUnit(3, 6, stride=2, bound=1.0),
        SeparableUnit(3, 6, ghost=True, bound=1.0),
        HeadUnit(3, 7),
    ],
    ids=["conv", "strided", "depthwise", "strided depthwise", "pointwise", "separable", "strided separable",
         "ghost", "head"],
)  # fmt: skip
@pytest.mark.parametrize(("height", "width"), [(6, 8), (5, 7)])
def test_a_spike_arrives_at_as_many_synapses_as_outputs_that_it_changes(unit, height, width):
    counted = fan_out(unit, height, width)
    with torch.no_grad():
        tried = [[connections(unit, height, width, y, x) for x in range(width)] for y in range(height)]
    assert counted.tolist() == tried


def test_synaptic_operations_of_dense_spikes_are_the_macs_of_the_layer():
    """Where every neuron fires at every step, a step costs what the float layer multiplies."""
    network = fold(alone(ConvUnit(3, 4, kernel_size=1, bound=1.0), ConvUnit(4, 6, kernel_size=1, bound=1.0),
                         HeadUnit(6, 2)))  # fmt: skip
    with torch.no_grad():
        for block in network.blocks:
            block.conv.weight.fill_(1.0)
            block.conv.bias.fill_(1.0)
    read = run(
        SpikingNetwork(network, {"blocks.0": 1.0, "blocks.1": 1.0}, 0.0), images(2, height=5, width=6), 3
    )
    positions = 5 * 6
    assert read.synops["blocks.1"].tolist() == [[3 * positions * 4 * 6] * 2]
    assert read.synops["blocks.2"].tolist() == [[3 * positions * 6 * 2] * 2]
