"""The rows of a source: what is known of each image before it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qana.dataset.pixels.pixels import Pixels

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Table:
    """Rows sorted by image id, free of offenders.

    Attributes:
        image_ids: N unique names.
        target: (N,) int64 class index.
        groups: N group names; None where the source knows no groups.
        group_key: the column of the groups, such as ``lesion_id``.
        attributes: name to (N,) values: ``age_years`` float64, NaN unknown; others text, ``unknown``.
        official: ``train``, ``val`` or ``test`` for each row; None without an official split.
        pixels: where the images come from, in the order of the rows.
    """

    image_ids: tuple[str, ...]
    target: NDArray[np.int64]
    groups: tuple[str, ...] | None
    group_key: str | None
    attributes: Mapping[str, NDArray[Any]]
    official: tuple[str, ...] | None
    pixels: Pixels

    def __len__(self) -> int:
        return len(self.image_ids)

    def with_classes(self, index: Mapping[int, int]) -> Table:
        """The same rows with other class indices; `index` maps every old one to the new one."""
        target = np.array([index[label] for label in self.target.tolist()], dtype=np.int64)
        return replace(self, target=target)
