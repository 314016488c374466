"""Decides which training images an epoch shows, in which order, and which process shows them."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch.distributed
from numpy.typing import NDArray

from qana.errors import QanaError

Sampler = Literal["instance", "sqrt", "balanced"]

# Class j is drawn with probability n_j**q / sum_i n_i**q: Kang et al. 2020 (arXiv:1910.09217, eq. 1).
CLASS_COUNT_POWER: dict[Sampler, float] = {"instance": 1.0, "sqrt": 0.5, "balanced": 0.0}


class EpochOrder:
    """The order of the images in each epoch; the same seed and epoch give the same order.

    ``instance`` shows every image once. ``sqrt`` and ``balanced`` show as many images in total, but give
    each class its quota; within a class, every image is shown before any is shown again. The paper draws
    with replacement; quotas keep its class probabilities with less variance between epochs.

    Args:
        target: (N,) int64 class indices.
        sampler: ``instance``, ``sqrt`` or ``balanced``.
        seed: start of the random order.

    Raises:
        QanaError: another sampler.
    """

    def __init__(self, target: NDArray[np.int64], *, sampler: Sampler, seed: int) -> None:
        if sampler not in CLASS_COUNT_POWER:
            raise QanaError(
                f"no sampler is called {sampler!r}",
                where=f"training.sampler = {sampler}",
                allowed=", ".join(get_args(Sampler)),
                fix="choose one of these, such as training.sampler=sqrt",
            )
        self.target, self.seed, self.epoch = target, seed, 0
        self._power = CLASS_COUNT_POWER[sampler]

    def set_epoch(self, epoch: int) -> None:
        """Jump to an epoch. Lightning calls this before each one, so a resumed run continues the order."""
        self.epoch = epoch

    def class_probabilities(self) -> dict[int, float]:
        """Share of an epoch that each class takes."""
        labels, counts = np.unique(self.target, return_counts=True)
        weights = counts**self._power
        return dict(zip(labels.tolist(), (weights / weights.sum()).tolist(), strict=True))

    def indices(self) -> NDArray[np.int64]:
        """Image indices of the current epoch, over all processes; (N,) int64."""
        rng = np.random.default_rng([self.seed, self.epoch])
        if self._power == 1.0:
            return rng.permutation(len(self.target))
        drawn = [self._draw(label, quota, rng) for label, quota in self._quotas(rng).items()]
        return rng.permutation(np.concatenate(drawn))

    def _quotas(self, rng: np.random.Generator) -> dict[int, int]:
        shares = self.class_probabilities()
        # Rounding a shifted cumulative sum keeps the total and is right on average (systematic sampling).
        ends = np.cumsum([0.0, *shares.values()]) * len(self.target)
        marks = np.floor(ends + rng.random())
        return {label: int(quota) for label, quota in zip(shares, np.diff(marks), strict=True)}

    def _draw(self, label: int, quota: int, rng: np.random.Generator) -> NDArray[np.int64]:
        members = np.flatnonzero(self.target == label)
        rounds = -(-quota // len(members))
        return np.concatenate([rng.permutation(members) for _ in range(max(rounds, 1))])[:quota]


def process_rank() -> tuple[int, int]:
    """(rank, number of processes) under torch.distributed; (0, 1) without it."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1
