"""The product of the dataset stage: images and labels, split so that no lesion crosses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ImageSet:
    """Images held in memory as the chip takes them.

    Attributes:
        images: (N, H, W, 3) uint8, RGB.
        target: (N,) int64, index into `Splits.classes`.
        image_ids: N unique names.
        lesion_ids: N group names; photographs of one lesion share theirs.
    """

    images: NDArray[np.uint8]
    target: NDArray[np.int64]
    image_ids: tuple[str, ...]
    lesion_ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.target)


@dataclass(frozen=True)
class Splits:
    """Train, validation and test images of one source.

    Attributes:
        name: the source, such as ``ham10000``.
        classes: class names, in the order of the target indices.
        fingerprint: SHA-256 over images, labels and groups of the whole source (hex).
        protocol: how the source was split, such as ``lesion``.
        group_key: the column whose values never cross the split, such as ``lesion_id``.
        leaked_groups: groups found on both sides of the split; 0 under ``lesion``.
    """

    name: str
    classes: tuple[str, ...]
    train: ImageSet
    val: ImageSet
    test: ImageSet
    fingerprint: str
    protocol: str
    group_key: str
    leaked_groups: int

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, 3) of every image."""
        height, width, channels = self.train.images.shape[1:]
        return height, width, channels
