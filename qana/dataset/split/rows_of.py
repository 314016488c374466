"""Finds the rows of a source that a split file names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qana.dataset.split.split_file import SplitFile, require_sides
from qana.errors import QanaError, listed

Rows = NDArray[np.int64]


def left_out(split: SplitFile, image_ids: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """List what a split and a source do not share.

    Args:
        split: which image is on which side.
        image_ids: names of the images of the source.

    Returns:
        Ids that only the split has, and ids that only the source has, each sorted.
    """
    in_split = {image_id for _, ids in split.sides() for image_id in ids}
    in_source = set(image_ids)
    return tuple(sorted(in_split - in_source)), tuple(sorted(in_source - in_split))


def rows_of(split: SplitFile, image_ids: Sequence[str], *, allow_missing: bool) -> tuple[Rows, Rows, Rows]:
    """Find the rows of a source that a split names.

    Args:
        split: which image is on which side.
        image_ids: N unique names, in row order.
        allow_missing: go on without the images that only the split or only the source has (`left_out` lists
            them), as under dataset.on_error=skip; otherwise they are an error.

    Returns:
        Row indices of train, validation and test, each ascending.

    Raises:
        QanaError: split and source do not name the same images, or a side keeps no image at all.
    """
    if not allow_missing:
        _require_same_images(split, image_ids)
    side_of = {image_id: name for name, ids in split.sides() for image_id in ids}
    side = np.array([side_of.get(image_id, "") for image_id in image_ids], dtype=str)
    train, val, test = (np.flatnonzero(side == name) for name in ("train", "val", "test"))
    require_sides({"train": len(train), "val": len(val), "test": len(test)}, where=split.where)
    return train, val, test


def _require_same_images(split: SplitFile, image_ids: Sequence[str]) -> None:
    only_split, only_source = left_out(split, image_ids)
    faults = [
        f"{len(ids)} images {where}: {listed(ids)}"
        for where, ids in (
            ("of the split are not in the source", only_split),
            ("of the source are not in the split", only_source),
        )
        if ids
    ]
    if faults:
        raise QanaError(
            "; ".join(faults),
            where=split.where,
            allowed="the images of the source, each on one side",
            fix="give the split of this very source, or go on without these images: dataset.on_error=skip",
        )
