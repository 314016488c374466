"""What the leakage audit compares: the images of one side of a split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class ImageArray(Protocol):
    """(N, H, W, 3) uint8 images that can be read by row: an array, or rows of a memory-mapped cache."""

    def __getitem__(self, rows: Any, /) -> Any: ...


@dataclass(frozen=True)
class Side:
    """One side of a split, or an external test set.

    Attributes:
        image_ids: N names.
        groups: N group names; None where the source knows no groups.
        images: (N, H, W, 3) uint8.
        perceptual_hash: (N,) uint64, of `images`.
    """

    image_ids: tuple[str, ...]
    groups: tuple[str, ...] | None
    images: ImageArray
    perceptual_hash: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.image_ids)
