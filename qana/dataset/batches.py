"""Feeds images held in memory to Lightning, one whole batch at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qana.dataset.epoch_order import EpochOrder, Sampler, process_rank
from qana.dataset.splits import ImageSet
from qana.errors import QanaError

Batch = tuple[Tensor, Tensor]


class TrainBatches:
    """Shuffled training batches as they are stored; the same seed gives the same batches in every run.

    The images leave as bytes, so that the device that trains receives a quarter of what it then augments.
    Every pass is a new epoch. The last images that do not fill a batch are left out of that epoch, since
    batch statistics of a few images are poor. Under torch.distributed each process takes its own,
    equally long, slice of the epoch.

    Args:
        image_set: the training images.
        batch_size: images per batch and process.
        sampler: how often each class is shown, by name or as a power of its count; see `EpochOrder`.
        seed: start of the order.
        epochs: of the whole training; see `EpochOrder`.

    Raises:
        QanaError: a batch size below 1, an unknown sampler or no epochs; on the first use, fewer images than
            processes.
    """

    def __init__(
        self, image_set: ImageSet, *, batch_size: int, sampler: Sampler, seed: int, epochs: int
    ) -> None:
        _require_batch_size(batch_size)
        self.image_set, self.batch_size = image_set, batch_size
        # Lightning looks for this name and calls its set_epoch.
        self.sampler = EpochOrder(image_set.target, sampler=sampler, seed=seed, epochs=epochs)

    def __len__(self) -> int:
        share = self._share()
        return max(share // self.batch_size, 1)

    def __iter__(self) -> Iterator[Batch]:
        """Yield (images (N, 3, H, W) uint8 in channels-last memory, target (N,) int64)."""
        # A generator: the epoch is read at the first batch, because Lightning makes iterators it never uses.
        epoch = self.sampler.epoch
        rank, processes = process_rank()
        order = self.sampler.indices()[rank::processes][: self._share()]
        self.sampler.set_epoch(epoch + 1)
        for first in range(0, len(self) * self.batch_size, self.batch_size):
            yield _batch(self.image_set, order[first : first + self.batch_size])

    def _share(self) -> int:
        _, processes = process_rank()
        share = len(self.image_set) // processes
        if share == 0:
            raise _too_few(len(self.image_set), processes, self.batch_size)
        return share


class EvalBatches:
    """Every image once, in order, unchanged.

    Under torch.distributed each process takes its own slice; all make the same number of batches (their
    sizes differ by one at most), since a process with one batch more would wait for the others forever.

    Args:
        image_set: the images.
        batch_size: most images per batch and process.

    Raises:
        QanaError: a batch size below 1; on the first use, too few images for the processes.
    """

    def __init__(self, image_set: ImageSet, batch_size: int) -> None:
        _require_batch_size(batch_size)
        self.image_set, self.batch_size = image_set, batch_size

    def __len__(self) -> int:
        _, processes = process_rank()
        largest_share = -(-len(self.image_set) // processes)
        batches = -(-largest_share // self.batch_size)
        if batches == 0 or len(self.image_set) // processes < batches:
            raise _too_few(len(self.image_set), processes, self.batch_size)
        return batches

    def __iter__(self) -> Iterator[Batch]:
        """Yield (images (N, 3, H, W) uint8 in channels-last memory, target (N,) int64)."""
        rank, processes = process_rank()
        share = np.arange(len(self.image_set))[rank::processes]
        for rows in np.array_split(share, len(self)):
            yield _batch(self.image_set, rows)


def _batch(image_set: ImageSet, rows: NDArray[np.int64]) -> Batch:
    images = torch.from_numpy(image_set.images[rows]).permute(0, 3, 1, 2)  # (N, 3, H, W), not copied
    return images, torch.from_numpy(image_set.target[rows])


def _require_batch_size(batch_size: int) -> None:
    if batch_size < 1:
        raise QanaError(
            f"a batch cannot hold {batch_size} images",
            where=f"training.batch_size = {batch_size}",
            allowed="1 or more",
            fix="choose a batch size such as training.batch_size=64",
        )


def _too_few(images: int, processes: int, batch_size: int) -> QanaError:
    return QanaError(
        f"{images} images are too few for {processes} processes with batches of {batch_size}",
        where=f"training.batch_size = {batch_size}",
        allowed="at least one image per batch in every process",
        fix="use more images, fewer processes, or a larger batch in evaluation",
    )
