"""A second source, to test the trained network on images from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qana.dataset.audit import Side, audit_external
from qana.dataset.gathered import Gathered
from qana.dataset.splits import External
from qana.dataset.table.offenders import Offenders
from qana.dataset.table.table import Table
from qana.errors import QanaError, listed

if TYPE_CHECKING:  # a source holds a second source
    from qana.dataset.source import Source

KEY = "dataset.external_test"


def require_second_source(source: Source) -> None:
    """Refuse a second source whose images or classes are not those of the first.

    Raises:
        QanaError: other preprocessing, classes that the first does not have, or a third source.
    """
    other = source.external_test
    if other is None:
        return
    _require_preprocessing(source, other)
    _require_classes(source, other)
    if other.external_test is not None:
        raise QanaError(
            "the second source asks for a third",
            where=f"{KEY}.external_test",
            allowed="null: one second source",
            fix=f"give {KEY}.external_test=null, and the third source to a run of its own",
        )


@dataclass(frozen=True)
class SecondSource:
    """The second source with its rows; read before any image is decoded, so that its faults come early."""

    source: Source
    table: Table
    offenders: Offenders

    @classmethod
    def read(cls, source: Source) -> SecondSource:
        """Read its rows.

        Raises:
            QanaError: as `Source.read`, naming the keys of the second source.
        """
        offenders = Offenders(source.on_error)
        with _named_as_second():
            return cls(source, source.read(offenders), offenders)

    def against(self, classes: Sequence[str], seen: Side) -> External:
        """Fetch its images and compare them with those that training sees.

        Args:
            classes: of the first source; labels are matched by name.
            seen: training and validation images of the first source.

        Raises:
            QanaError: as `Source.gather`, naming the keys of the second source.
        """
        with _named_as_second():
            gathered = self.source.gather(self.table, self.offenders)
        places = _tested(self.source, gathered)
        images = gathered.image_set(places)
        index = np.array([classes.index(name) for name in self.source.classes], dtype=np.int64)
        return External(
            name=self.source.name,
            images=replace(images, target=index[images.target]),
            fingerprint=gathered.fingerprint,
            audit=audit_external(seen, gathered.side(places)),
            skipped=self.offenders.skipped,
        )


def _tested(other: Source, gathered: Gathered) -> NDArray[np.int64]:
    """The official test images where the second source is split so, else all of it."""
    if other.protocol != "official" or gathered.official is None:
        return np.arange(len(gathered.rows))
    return np.flatnonzero(np.array(gathered.official) == "test")


def _require_preprocessing(source: Source, other: Source) -> None:
    different = [
        f"{KEY}.{key}={getattr(source, key)}"
        for key in ("image_size", "crop", "colour")
        if getattr(source, key) != getattr(other, key)
    ]
    if different:
        raise QanaError(
            "the second source prepares its images in another way than the first",
            where=f"{KEY} = {other.name}",
            allowed="what the network is trained on",
            fix=f"give {' '.join(different)}",
        )


def _require_classes(source: Source, other: Source) -> None:
    unknown = [name for name in other.classes if name not in source.classes]
    if unknown:
        raise QanaError(
            f"the second source has classes that the first does not have: {listed(unknown)}",
            where=f"{KEY} = {other.name}",
            allowed=listed(source.classes),
            fix="map its labels to these names (dataset=clinical has class_mapping), or take another source",
        )


@contextmanager
def _named_as_second() -> Iterator[None]:
    """Turn the keys of an error into those of the second source."""
    try:
        yield
    except QanaError as error:
        where, fix = (part.replace("dataset.", f"{KEY}.") for part in (error.where, error.fix))
        raise QanaError(error.what, where=where, allowed=error.allowed, fix=fix) from error
