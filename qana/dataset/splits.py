"""The product of the dataset stage: images and labels, split, audited and named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qana.dataset.audit import LeakageAudit
from qana.dataset.table.offenders import Skipped


class ImageRows:
    """Some rows of an array of images that stays where it is, such as on disk; copies what is asked for.

    Args:
        pool: (M, H, W, 3) uint8, usually memory-mapped; or rows of one.
        rows: (N,) which of them, in which order.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, pool: NDArray[np.uint8] | ImageRows, rows: NDArray[np.int64]) -> None:
        self._pool, self._rows = pool, rows

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, H, W, 3)."""
        height, width, channels = self._pool.shape[1:]
        return len(self._rows), height, width, channels

    def __getitem__(self, rows: Any) -> NDArray[np.uint8]:
        return np.asarray(self._pool[self._rows[rows]])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("rows of a memory-mapped array cannot be had without a copy")
        return np.asarray(self._pool[self._rows], dtype=dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        # A process that is handed the images opens the file again instead of receiving their copy.
        pool = self._pool
        if isinstance(pool, np.memmap) and pool.filename is not None:
            return _reopened, (str(pool.filename), pool.offset, pool.shape, self._rows)
        return ImageRows, (pool, self._rows)


def _reopened(path: str, offset: int, shape: tuple[int, int, int, int], rows: NDArray[np.int64]) -> ImageRows:
    return ImageRows(np.memmap(path, dtype=np.uint8, mode="r", offset=offset, shape=shape), rows)


Images = NDArray[np.uint8] | ImageRows


@dataclass(frozen=True)
class ImageSet:
    """Images as the chip takes them.

    Attributes:
        images: (N, H, W, 3) uint8, RGB; in memory, or rows of a memory-mapped cache.
        target: (N,) int64, index into `Splits.classes`.
        image_ids: N unique names.
        lesion_ids: N group names; photographs of one lesion (or whatever the group key names) share theirs.
        attributes: name to (N,) values: ``age_years`` float64, NaN unknown; ``sex``, ``localization``,
            ``image_tone`` text, ``unknown``.
    """

    images: Images
    target: NDArray[np.int64]
    image_ids: tuple[str, ...]
    lesion_ids: tuple[str, ...]
    attributes: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.target)


@dataclass(frozen=True)
class External:
    """A second source that the trained network is tested on and never saw.

    Attributes:
        name: the source.
        images: every image of it, or of its official test split.
        fingerprint: as in `Splits`.
        audit: near-duplicates and groups shared with the images that training saw.
        skipped: what was left out of it.
    """

    name: str
    images: ImageSet
    fingerprint: str
    audit: LeakageAudit
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True)
class Splits:
    """Train, validation and test images of one source.

    Attributes:
        name: the source, such as ``ham10000``.
        classes: class names, in the order of the target indices.
        fingerprint: SHA-256 over images, labels and groups of the whole source (hex).
        protocol: how the source was split, such as ``lesion``.
        group_key: the column of the groups, such as ``lesion_id``; None where the source knows none.
        leaked_groups: groups found on more than one side; 0 under ``lesion``.
        folds: number of folds; None for an official split or one given as a file.
        fold: the one that is the test split.
        split_hash: SHA-256 over the image ids of each side (hex).
        split_file: content of split.json, which `dataset.split_file` takes back.
        audit: what the sides share.
        preprocessing: how a photograph became pixels.
        skipped: what `dataset.on_error=skip` left out.
        external: the second test set, or None.
    """

    name: str
    classes: tuple[str, ...]
    train: ImageSet
    val: ImageSet
    test: ImageSet
    fingerprint: str
    protocol: str
    group_key: str | None
    leaked_groups: int
    folds: int | None
    fold: int | None
    split_hash: str
    split_file: bytes
    audit: LeakageAudit
    preprocessing: Mapping[str, Any]
    skipped: tuple[Skipped, ...] = ()
    external: External | None = None

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, 3) of every image."""
        height, width, channels = self.train.images.shape[1:]
        return height, width, channels
