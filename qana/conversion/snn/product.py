"""What a spiking conversion found: answers over time, and every spike counted. Plain data, no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class SpikingLayer:
    """One layer of the spiking network, as simulated.

    Attributes:
        name: path in the float network, such as ``blocks.2.primary``.
        kind: as in `qana.backbone.LayerComplexity`.
        neurons: integrate-and-fire neurons; 0 in the head, whose potentials are the logits.
        threshold: of every neuron, in units of the float activation; None in the head.
        spikes: (K, N) spikes that left the neurons for image n in the first ``time_steps[k]`` steps.
        synops: (K, N) synapses of this layer that spikes arrived at, likewise; 0 in the first layer, which
            reads pixels.
    """

    name: str
    kind: str
    neurons: int
    threshold: float | None
    spikes: NDArray[np.float64]
    synops: NDArray[np.float64]


@dataclass(frozen=True)
class Spiking:
    """A float network as a spiking one, and what it said on the test images.

    Attributes:
        target: its name in the config.
        percentile: of the activations that became the thresholds, 0 to 100.
        calibration_images: training images that the activations were seen on.
        initial_potential: of every neuron, as a share of its threshold.
        time_steps: the K numbers of steps after which the network was read, ascending.
        logits_over_time: (K, N, classes) float32.
        layers: in the order in which they run, one for each layer with weights.
        input_macs: multiply-accumulates of the first layer, once an image: pixels are numbers, not spikes.
    """

    target: str
    percentile: float
    calibration_images: int
    initial_potential: float
    time_steps: tuple[int, ...]
    logits_over_time: NDArray[np.float32]
    layers: tuple[SpikingLayer, ...]
    input_macs: int

    @property
    def logits(self) -> NDArray[np.float32]:
        """(N, classes) after the last step."""
        return self.logits_over_time[-1]

    @property
    def neurons(self) -> int:
        """Neurons of the whole network."""
        return sum(layer.neurons for layer in self.layers)

    def first(self, images: int) -> Spiking:
        """The same of the first `images` images alone."""
        layers = [
            replace(layer, spikes=layer.spikes[:, :images], synops=layer.synops[:, :images])
            for layer in self.layers
        ]
        return replace(self, logits_over_time=self.logits_over_time[:, :images], layers=tuple(layers))
