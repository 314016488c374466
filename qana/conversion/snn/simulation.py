"""Runs a spiking network on images, step by step, and reads it at the chosen times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qana.conversion.snn.network import SpikingNetwork


@dataclass(frozen=True)
class Readings:
    """What a spiking network said and did at each of K times.

    Attributes:
        logits: (K, N, classes) float32.
        spikes: path of each layer to (K, N), spikes of its neurons so far.
        synops: path of each layer to (K, N), synapses that spikes have arrived at so far.
    """

    logits: NDArray[np.float32]
    spikes: dict[str, NDArray[np.float64]]
    synops: dict[str, NDArray[np.float64]]


@torch.no_grad()
def simulate(
    network: SpikingNetwork,
    images: NDArray[np.uint8],
    *,
    time_steps: Sequence[int],
    batch_size: int,
    advance: Callable[[int], None],
) -> Readings:
    """Show every image for the last of `time_steps` steps.

    Args:
        network: at rest or not; it rests before every batch.
        images: (N, H, W, 3) uint8.
        time_steps: ascending, at least 1: when to read the network.
        batch_size: images that are simulated together.
        advance: is told how many images are done.
    """
    read = []
    for first in range(0, len(images), batch_size):
        batch = torch.from_numpy(images[first : first + batch_size]).permute(0, 3, 1, 2)
        read.append(_read_batch(network, batch.float().contiguous(), time_steps))
        advance(len(batch))
    return Readings(
        logits=np.concatenate([each.logits for each in read], axis=1),
        spikes=_joined([each.spikes for each in read]),
        synops=_joined([each.synops for each in read]),
    )


def _read_batch(network: SpikingNetwork, pixels: Tensor, time_steps: Sequence[int]) -> Readings:
    network.rest()
    total = torch.zeros(())
    logits, counts = [], []
    for step in range(1, time_steps[-1] + 1):
        total = total + network.step(pixels)
        if step in time_steps:
            logits.append((total / step).numpy().astype(np.float32))
            counts.append(_counts(network, len(pixels)))
    names = [layer.name for layer in network.layers]
    return Readings(
        logits=np.stack(logits),
        spikes={name: np.stack([spikes[name] for spikes, _ in counts]) for name in names},
        synops={name: np.stack([synops[name] for _, synops in counts]) for name in names},
    )


def _counts(
    network: SpikingNetwork, images: int
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """Spikes and synaptic operations of each layer so far, (images,) each."""
    nothing = np.zeros(images)
    spikes, synops = {}, {}
    for layer in network.layers:
        fired, arrived = layer.spikes, layer.synops()
        spikes[layer.name] = nothing if fired is None else fired.numpy()
        synops[layer.name] = nothing if arrived is None else arrived.numpy()
    return spikes, synops


def _joined(parts: Sequence[dict[str, NDArray[np.float64]]]) -> dict[str, NDArray[np.float64]]:
    return {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}
