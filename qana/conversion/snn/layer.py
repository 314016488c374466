"""A unit of the float network as synapses and neurons, with every spike counted."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from qana.backbone.unit import Unit
from qana.conversion.snn.balance import drive
from qana.conversion.snn.fan_out import fan_out
from qana.conversion.snn.neuron import IntegrateAndFire, MaxGate


class Signal(NamedTuple):
    """What travels from layer to layer in one step.

    Attributes:
        values: (N, C, H, W); a spike weighs as much as the threshold of the neuron that fired it. Behind a
            global average: the mean over the positions.
        spikes: (N, C, H, W) how many spikes each value is made of.
    """

    values: Tensor
    spikes: Tensor


class SpikingUnit:
    """The weights of one folded unit as synapses, and a neuron for each of its activations.

    Max pools become gates behind the neurons (`MaxGate`). A global average is linear, so it needs no neurons:
    ahead of the ReLU it averages currents, behind it the spikes' weights, 1 / (H W) each.

    Args:
        name: path of the unit in the float network.
        unit: folded; its weights are used as they are.
        threshold: of its neurons; None for a head, which has none.
        initial_potential: of its neurons, as a share of the threshold.
    """

    def __init__(self, name: str, unit: Unit, threshold: float | None, initial_potential: float) -> None:
        self.name, self.unit, self.threshold = name, unit, threshold
        self._initial_potential = initial_potential
        self.neurons = 0
        self.rest()

    def rest(self) -> None:
        """Forget all images: potentials and counts are those of a new batch."""
        threshold = self.threshold
        self._neuron = None if threshold is None else IntegrateAndFire(threshold, self._initial_potential)
        self._gate = MaxGate() if self.unit.pool == "max" else None
        self._constant: Tensor | None = None
        self._arrived: Tensor | None = None
        self.spikes: Tensor | None = None

    def see(self, pixels: Tensor) -> Signal:
        """One step of a first layer: its current is constant, so it is computed once a batch."""
        if self._constant is None:
            self._constant = drive(self.unit, pixels)
        return self._fire(self._constant)

    def step(self, arriving: Signal) -> Signal:
        """One step: signals from the layer before to signals for the layer behind."""
        return self._fire(self.current(arriving))

    def current(self, arriving: Signal) -> Tensor:
        """What the neurons receive in one step, (N, C_out, H', W'); the logits' share of it in a head."""
        self._arrived = arriving.spikes if self._arrived is None else self._arrived + arriving.spikes
        return drive(self.unit, arriving.values)

    def synops(self) -> Tensor | None:
        """(N,) synapses that spikes have arrived at since the last rest, float64; None in a first layer."""
        if self._arrived is None:
            return None
        by_position = self._arrived.double().sum(1)  # (N, H, W)
        return (by_position * fan_out(self.unit, *by_position.shape[1:]).double()).sum((1, 2))

    def _fire(self, current: Tensor) -> Signal:
        assert self._neuron is not None
        fired = self._neuron.step(current)
        self.neurons = fired[0].numel()
        count = fired.double().sum((1, 2, 3))
        self.spikes = count if self.spikes is None else self.spikes + count
        if self._gate is not None:
            fired = self._gate.step(fired)
        if self.unit.pool == "global_after_relu":
            positions = fired.shape[2] * fired.shape[3]
            fired = fired.sum((2, 3), keepdim=True)
            return Signal(fired * (self._neuron.threshold / positions), fired)
        return Signal(fired * self._neuron.threshold, fired)


class SpikingGhost:
    """A ghost module: the spikes of both branches side by side, each as heavy as its branch's threshold.

    Args:
        primary: the first half of the features.
        cheap: the second half, from the spikes of the first.
    """

    def __init__(self, primary: SpikingUnit, cheap: SpikingUnit) -> None:
        self.primary, self.cheap = primary, cheap

    def step(self, arriving: Signal) -> Signal:
        """(N, C_in, H, W) to (N, C_out, H, W)."""
        y = self.primary.step(arriving)
        z = self.cheap.step(y)
        return Signal(torch.cat((y.values, z.values), 1), torch.cat((y.spikes, z.spikes), 1))
