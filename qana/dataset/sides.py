"""Puts every usable image of a source on one of three sides, by a protocol or as a file says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qana.dataset.gathered import Gathered
from qana.dataset.split import Protocol, SplitFile, left_out, rows_of, split
from qana.dataset.table.offenders import Offenders

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class SplitSettings:
    """How to split; see `qana.dataset.split.split`."""

    protocol: Protocol
    folds: int
    fold: int
    val_fraction: float
    seed: int


@dataclass(frozen=True)
class Sides:
    """Where every usable image goes.

    Attributes:
        train: places among the usable images.
        val: likewise.
        test: likewise.
        file: the split as a file.
    """

    train: Rows
    val: Rows
    test: Rows
    file: SplitFile

    @property
    def protocol(self) -> str:
        """``lesion``, ``image``, ``official``, or ``file`` where a table made by hand says nothing else."""
        return self.file.protocol or "file"


def make_sides(gathered: Gathered, settings: SplitSettings) -> Sides:
    """Split by a protocol.

    Raises:
        QanaError: as `qana.dataset.split.split`.
    """
    places = split(
        gathered.target,
        gathered.image_ids,
        groups=gathered.groups,
        group_key=gathered.table.group_key,
        official=gathered.official,
        classes=gathered.classes,
        protocol=settings.protocol,
        folds=settings.folds,
        fold=settings.fold,
        val_fraction=settings.val_fraction,
        seed=settings.seed,
    )
    folded = settings.protocol != "official"
    train, val, test = (tuple(gathered.image_ids[place] for place in side) for side in places)
    file = SplitFile(
        source=gathered.name,
        fingerprint=None,  # the split outlives another image size, which changes the fingerprint
        protocol=settings.protocol,
        group_key=gathered.table.group_key,
        folds=settings.folds if folded else None,
        fold=settings.fold if folded else None,
        seed=settings.seed,
        val_fraction=settings.val_fraction,
        train=train,
        val=val,
        test=test,
    )
    return Sides(*places, file)


def sides_from_file(gathered: Gathered, path: Path, offenders: Offenders) -> Sides:
    """Split as a file says; what is on no side is left out where `offenders` allows it.

    Raises:
        QanaError: as `SplitFile.read` and `qana.dataset.split.rows_of`.
    """
    file = SplitFile.read(path)
    skip = offenders.on_error == "skip"
    places = rows_of(file, gathered.image_ids, allow_missing=skip)
    if skip:
        _remember(file, gathered, offenders)
    kept = [tuple(gathered.image_ids[place] for place in side) for side in places]
    return Sides(*places, replace(file, train=kept[0], val=kept[1], test=kept[2]))


def _remember(file: SplitFile, gathered: Gathered, offenders: Offenders) -> None:
    only_file, only_source = left_out(file, gathered.image_ids)
    for kind, names in (
        ("images of the split that are not in the source", only_file),
        ("images of the source that are on no side of the split", only_source),
    ):
        offenders.found(kind, names, where="dataset.split_file", allowed="", fix="")
