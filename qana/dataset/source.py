"""What every source of images shares: how its rows become pixels, splits, an audit and a second test set."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qana.dataset.audit import Side, audit_splits, require_no_shared_groups
from qana.dataset.gathered import Gathered, gather
from qana.dataset.pixels.preprocessing import Colour, Crop, Preprocessing
from qana.dataset.second_source import SecondSource, require_second_source
from qana.dataset.sides import Sides, SplitSettings, make_sides, sides_from_file
from qana.dataset.split import Protocol, check_settings
from qana.dataset.splits import Splits
from qana.dataset.table.offenders import Offenders, OnError
from qana.dataset.table.table import Table


@dataclass(frozen=True, kw_only=True)
class Source(ABC):
    """A source of images; each kind of source adds where its images lie and reads their table.

    Args:
        image_size: side of the square images, pixels.
        crop: ``centre`` keeps the middle square of the short side, undistorted; ``none`` keeps the whole
            photograph and squeezes its long side.
        colour: ``rgb`` as photographed, or ``shades_of_gray`` under neutral light.
        protocol: ``lesion`` splits by group, ``image`` image by image (so that photographs of one lesion
            cross), ``official`` as published.
        folds: number of folds, at least 2.
        fold: the one that is the test split, 0 to `folds` - 1.
        val_fraction: share of all images for validation, taken from the other folds.
        seed: another seed gives another split.
        split_file: a split.json of an earlier run, or a CSV with the columns image_id and split; overrides
            the protocol. None makes the split anew.
        on_error: ``raise`` refuses bad rows and files, all at once; ``skip`` goes on without them.
        cache_dir: where decoded images are kept; None decodes into memory at every start.
        external_test: a second source to test the trained network on, or None.

    Raises:
        QanaError: an argument out of its range.
    """

    image_size: int
    crop: Crop
    colour: Colour
    protocol: Protocol
    folds: int
    fold: int
    val_fraction: float
    seed: int
    split_file: str | None
    on_error: OnError
    cache_dir: str | None
    external_test: Source | None

    name: ClassVar[str]

    def __post_init__(self) -> None:
        _ = self.preprocessing  # refuses what cannot be done to an image
        check_settings(
            protocol=self.protocol, folds=self.folds, fold=self.fold, val_fraction=self.val_fraction
        )
        require_second_source(self)

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the target indices."""

    @abstractmethod
    def read(self, offenders: Offenders) -> Table:
        """Read the rows of the source, without opening an image."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, 3); known before any image is, so that an illegal network is refused early."""
        return self.image_size, self.image_size, 3

    @property
    def preprocessing(self) -> Preprocessing:
        """How a photograph becomes pixels."""
        return Preprocessing(self.image_size, self.crop, self.colour)

    def load(self) -> Splits:
        """Read, decode, split and audit the whole source, and the second one.

        Raises:
            QanaError: bad rows or files, a split that cannot be made, or, under ``lesion``, a group on more
                than one side.
        """
        offenders = Offenders(self.on_error)
        table = self.read(offenders)
        second = None if self.external_test is None else SecondSource.read(self.external_test)
        gathered = self.gather(table, offenders)
        sides = self._sides(gathered, offenders)
        audit = audit_splits({name: gathered.side(places) for name, places in _named(sides)})
        if sides.protocol == "lesion":
            require_no_shared_groups(audit, gathered.table.group_key or "group")
        train, val, test = (gathered.image_set(places) for _, places in _named(sides))
        return Splits(
            name=self.name,
            classes=self.classes,
            train=train,
            val=val,
            test=test,
            fingerprint=gathered.fingerprint,
            protocol=sides.protocol,
            group_key=gathered.table.group_key,
            leaked_groups=len(audit.shared_groups),
            folds=sides.file.folds,
            fold=sides.file.fold,
            split_hash=sides.file.hash,
            split_file=sides.file.dumps(),
            audit=audit,
            preprocessing=asdict(self.preprocessing),
            skipped=offenders.skipped,
            external=None if second is None else second.against(self.classes, _seen(gathered, sides)),
        )

    def gather(self, table: Table, offenders: Offenders) -> Gathered:
        """Fetch the pixels of every usable image.

        Raises:
            QanaError: as `qana.dataset.gathered.gather`.
        """
        cache_dir = None if self.cache_dir is None else Path(self.cache_dir).expanduser()
        return gather(self.name, self.classes, table, self.preprocessing, offenders, cache_dir=cache_dir)

    def _sides(self, gathered: Gathered, offenders: Offenders) -> Sides:
        if self.split_file is not None:
            return sides_from_file(gathered, Path(self.split_file).expanduser(), offenders)
        return make_sides(
            gathered, SplitSettings(self.protocol, self.folds, self.fold, self.val_fraction, self.seed)
        )


def _named(sides: Sides) -> tuple[tuple[str, NDArray[np.int64]], ...]:
    return ("train", sides.train), ("val", sides.val), ("test", sides.test)


def _seen(gathered: Gathered, sides: Sides) -> Side:
    return gathered.side(np.concatenate([sides.train, sides.val]))
