"""Where the random numbers of an augmentation come from.

Every number is drawn on the processor and then sent to the images, so that runs on any device see the same
draws.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def uniform(shape: tuple[int, ...], low: float, high: float, generator: torch.Generator) -> Tensor:
    """Numbers between `low` and `high`, equally likely; float32 on the CPU."""
    return low + (high - low) * torch.rand(shape, generator=generator)


def happens(count: int, probability: float, generator: torch.Generator) -> Tensor:
    """(count,) bool on the CPU, each True with `probability`; never at 0, always at 1."""
    return torch.rand(count, generator=generator) < probability


def symmetric_beta(count: int, alpha: float, generator: torch.Generator) -> Tensor:
    """(count,) float32 on the CPU from Beta(alpha, alpha), 0 to 1."""
    # torch draws from a beta distribution with its global generator only.
    seed = int(torch.randint(2**62, (1,), generator=generator))
    return torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, count)).to(torch.float32)


def send(drawn: Tensor, images: Tensor) -> Tensor:
    """Move what was drawn to the images, without making a GPU finish its queue first."""
    return drawn.to(images.device, non_blocking=True)
