"""Integrate-and-fire neurons and spiking max pools, against arithmetic by hand."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qana.conversion.snn.neuron import IntegrateAndFire, MaxGate


def trains(currents, *, steps, threshold=1.0, start=0.0):
    """Spikes (steps, ...) of neurons under constant currents."""
    neurons = IntegrateAndFire(threshold, start)
    return torch.stack([neurons.step(currents.clone()) for _ in range(steps)])


def test_a_neuron_keeps_what_it_has_above_its_threshold():
    """0.75 a step: 0.75, 1.5 (fires, 0.5 left), 1.25 (0.25 left), 1.0 (nothing left), 0.75, ..."""
    spikes = trains(torch.tensor([0.75]), steps=8)
    assert spikes.flatten().tolist() == [0, 1, 1, 1, 0, 1, 1, 1]


@given(
    current=st.floats(-2, 4, width=32),
    threshold=st.floats(0.25, 4, width=32),
    start=st.sampled_from([0.0, 0.25, 0.5]),
    steps=st.integers(1, 24),
)
def test_the_number_of_spikes_is_a_clipped_and_quantized_relu(current, threshold, start, steps):
    level = current * steps / threshold + start
    if abs(level - round(level)) < 1e-6:
        return  # on the edge between two levels rounding decides
    spikes = trains(
        torch.tensor([current], dtype=torch.float64), steps=steps, threshold=threshold, start=start
    )
    assert spikes.sum() == min(max(math.floor(level), 0), steps)


def test_a_negative_current_has_to_be_paid_back_before_the_next_spike():
    neurons = IntegrateAndFire(1.0, 0.0)
    said = [neurons.step(torch.tensor([current])).item() for current in (-1.0, 1.0, 0.5, 0.5)]
    assert said == [0, 0, 0, 1]


@pytest.mark.parametrize("shape", [(2, 3, 4, 6), (1, 2, 5, 7)])
def test_a_max_pool_passes_as_many_spikes_as_the_busiest_neuron_fired(shape):
    generator = torch.Generator().manual_seed(3)
    spikes = (torch.rand(30, *shape, generator=generator) < torch.rand(shape, generator=generator)).float()
    gate, passed = MaxGate(), []
    for step in spikes:
        passed.append(gate.step(step))
    assert set(torch.stack(passed).unique().tolist()) == {0.0, 1.0}
    height, width = shape[2:]
    for row in range(0, height, 2):
        for column in range(0, width, 2):
            window = spikes[..., row : row + 2, column : column + 2].cumsum(0).amax((-2, -1))
            there = torch.stack(passed)[..., row // 2, column // 2].cumsum(0)
            assert torch.equal(there, window)
