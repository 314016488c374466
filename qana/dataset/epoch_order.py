"""Decides which training images an epoch shows, in which order, and which process shows them."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch.distributed
from numpy.typing import NDArray

from qana.errors import QanaError

NamedSampler = Literal["instance", "class_balanced", "square_root", "progressive"]
Sampler = NamedSampler | float

# Class j is drawn with probability n_j**q / sum_i n_i**q: Kang et al. 2020 (arXiv:1910.09217, eq. 1).
CLASS_COUNT_POWER: dict[str, float] = {"instance": 1.0, "class_balanced": 0.0, "square_root": 0.5}


class EpochOrder:
    """The order of the images in each epoch; the same seed and epoch give the same order.

    ``instance`` shows every image once. The others show as many images in total, but give each class its
    quota; within a class, every image is shown before any is shown again. ``class_balanced`` gives all
    classes the same, ``square_root`` in proportion to the root of their images, a number q to that power of
    them (1 is ``instance``, 0.5 ``square_root``, 0 ``class_balanced``), and ``progressive`` moves from
    ``instance`` to ``class_balanced``:

        p(t) = (1 - t/T) p_instance + t/T p_class_balanced    (Kang et al. 2020, arXiv:1910.09217, eq. 2)

    with t = 0 in the first epoch and t = T = epochs - 1 in the last, which is class balanced, also where it
    is the only one. The paper draws with replacement; quotas keep its class probabilities with less variance
    between epochs.

    Args:
        target: (N,) int64 class indices.
        sampler: ``instance``, ``class_balanced``, ``square_root``, ``progressive``, or q from 0 to 1.
        seed: start of the random order.
        epochs: of the whole training; ``progressive`` arrives in the last.

    Raises:
        QanaError: another sampler, or less than one epoch.
    """

    def __init__(self, target: NDArray[np.int64], *, sampler: Sampler, seed: int, epochs: int) -> None:
        _require_sampler(sampler)
        _require_epochs(epochs)
        self.target, self.sampler, self.seed, self.epochs = target, sampler, seed, epochs
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Jump to an epoch. Lightning calls this before each one, so a resumed run continues the order."""
        self.epoch = epoch

    def class_probabilities(self) -> dict[int, float]:
        """Share of the current epoch that each class takes."""
        labels, counts = np.unique(self.target, return_counts=True)
        if self.sampler == "progressive":
            shares = (1 - self._progress) * counts / counts.sum() + self._progress / len(counts)
        else:
            power = CLASS_COUNT_POWER[self.sampler] if isinstance(self.sampler, str) else self.sampler
            weights = counts**power
            shares = weights / weights.sum()
        return dict(zip(labels.tolist(), shares.tolist(), strict=True))

    @property
    def _progress(self) -> float:
        """t/T of the current epoch, 0 to 1; 1 also beyond the last."""
        return min(self.epoch / (self.epochs - 1), 1.0) if self.epochs > 1 else 1.0

    def indices(self) -> NDArray[np.int64]:
        """Image indices of the current epoch, over all processes; (N,) int64."""
        rng = np.random.default_rng([self.seed, self.epoch])
        if self.sampler == "instance":
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


def _require_sampler(sampler: Sampler) -> None:
    if isinstance(sampler, str):
        fault = None if sampler in get_args(NamedSampler) else f"no sampler is called {sampler!r}"
    else:
        fault = None if 0 <= sampler <= 1 else f"{sampler} is no power of the class counts"
    if fault:
        raise QanaError(
            fault,
            where=f"training.sampler = {sampler}",
            allowed=f"{', '.join(get_args(NamedSampler))}, or a power of the class counts from 0 to 1",
            fix="choose one of these, such as training.sampler=square_root",
        )


def _require_epochs(epochs: int) -> None:
    if epochs < 1:
        raise QanaError(
            f"an order over {epochs} epochs shows nothing",
            where=f"training.float_epochs or training.quantized_epochs = {epochs}",
            allowed="1 or more",
            fix="for example training.float_epochs=20",
        )
