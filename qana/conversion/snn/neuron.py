"""What a spiking network has beside its synapses: neurons that integrate and fire, and gates for max pools.

Both keep their state from step to step; a new one is made for every batch of images.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


class IntegrateAndFire:
    """Neurons without a leak that keep, when they fire, what they have above their threshold.

    v <- v + I;  a spike where v >= theta;  v <- v - theta there.

    Reset by subtraction (Rueckauer et al. 2016, arXiv:1612.04052; 2017, doi:10.3389/fnins.2017.00682). Under
    a constant current I, T steps give ``clip(floor(I T / theta + u), 0, T)`` spikes, at most one a step: the
    clipped ReLU on T levels.

    Args:
        threshold: theta, in the unit of the current, > 0.
        initial_potential: u, the potential at the start as a share of the threshold, 0 to below 1. At 0
            spikes come late and are too few, by half a level in the mean; 0.5 rounds instead, which is the
            shift by half a level of Deng and Gu 2021 (arXiv:2103.00476).
    """

    def __init__(self, threshold: float, initial_potential: float) -> None:
        self.threshold, self._start = threshold, initial_potential * threshold
        self._potential: Tensor | None = None

    def step(self, current: Tensor) -> Tensor:
        """One step: currents of any shape in, spikes of the same shape out, 0 or 1."""
        if self._potential is None:
            self._potential = torch.full_like(current, self._start)
        self._potential += current
        spikes = (self._potential >= self.threshold).to(current.dtype)
        self._potential -= self.threshold * spikes
        return spikes


class MaxGate:
    """A 2x2 max pool with stride 2 over spike trains: a spike passes where it makes a new largest count.

    As in Rueckauer et al. 2017 ("spiking max-pooling") only the neuron that fires most gets through. Here
    the counts so far decide, so that after every step the pool has passed exactly as many spikes as the
    busiest neuron of its window has fired. A last odd row or column makes windows of its own.
    """

    def __init__(self) -> None:
        self._fired: Tensor | None = None
        self._passed: Tensor | None = None

    def step(self, spikes: Tensor) -> Tensor:
        """(N, C, H, W), 0 or 1, to (N, C, ceil(H / 2), ceil(W / 2)), 0 or 1."""
        self._fired = spikes if self._fired is None else self._fired + spikes
        largest = F.max_pool2d(self._fired, 2, 2, ceil_mode=True)
        passing = largest if self._passed is None else largest - self._passed
        self._passed = largest
        return passing
