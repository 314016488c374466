"""Every usable image of one source: rows and pixels together, before anything is split."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qana.dataset.audit import Side, image_tone
from qana.dataset.pixels.cache import Decoded, decoded_images
from qana.dataset.pixels.preprocessing import Preprocessing
from qana.dataset.splits import ImageRows, ImageSet
from qana.dataset.table.offenders import Offenders, Skipped
from qana.dataset.table.table import Table

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Gathered:
    """The rows of a source that can be used, with their pixels.

    Attributes:
        name: the source.
        classes: its class names.
        table: its rows; those whose images cannot be read included.
        decoded: pixels of every row of the table.
        rows: (N,) rows of the table that can be used.
        skipped: what was left out, and why.
    """

    name: str
    classes: tuple[str, ...]
    table: Table
    decoded: Decoded
    rows: Rows
    skipped: tuple[Skipped, ...]

    @cached_property
    def image_ids(self) -> tuple[str, ...]:
        return _at(self.table.image_ids, self.rows)

    @cached_property
    def target(self) -> NDArray[np.int64]:
        return self.table.target[self.rows]

    @cached_property
    def groups(self) -> tuple[str, ...] | None:
        return None if self.table.groups is None else _at(self.table.groups, self.rows)

    @cached_property
    def official(self) -> tuple[str, ...] | None:
        return None if self.table.official is None else _at(self.table.official, self.rows)

    def image_set(self, places: Rows) -> ImageSet:
        """The usable images at these places, 0 to N - 1."""
        rows = self.rows[places]
        ids = _at(self.table.image_ids, rows)
        attributes = {name: values[rows] for name, values in self.table.attributes.items()}
        attributes["image_tone"] = image_tone(self.decoded.tone_ita_deg[rows])
        return ImageSet(
            images=ImageRows(self.decoded.images, rows),
            target=self.table.target[rows],
            image_ids=ids,
            lesion_ids=ids if self.table.groups is None else _at(self.table.groups, rows),
            attributes=attributes,
        )

    def side(self, places: Rows) -> Side:
        """What the audit compares of the usable images at these places."""
        rows = self.rows[places]
        return Side(
            image_ids=_at(self.table.image_ids, rows),
            groups=None if self.table.groups is None else _at(self.table.groups, rows),
            images=ImageRows(self.decoded.images, rows),
            perceptual_hash=self.decoded.perceptual_hash[rows],
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over pixels, labels, ids and groups of the usable images, in the order of the ids."""
        digest = hashlib.sha256()
        for part in self._identity():
            # The length in front keeps ("ab", "c") and ("a", "bc") apart.
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
        return digest.hexdigest()

    def _identity(self) -> Iterator[bytes]:
        yield str(self.decoded.images.shape).encode()
        yield self.decoded.digest.encode()
        yield self.rows.astype("<i8").tobytes()  # byte order is fixed, so that the machine does not matter
        yield self.target.astype("<i8").tobytes()
        yield from (name.encode() for name in (*self.classes, *self.image_ids, *(self.groups or ())))


def gather(
    name: str,
    classes: tuple[str, ...],
    table: Table,
    preprocessing: Preprocessing,
    offenders: Offenders,
    *,
    cache_dir: Path | None,
) -> Gathered:
    """Decode every image of a table, or take them from the cache, and leave out what cannot be read.

    Raises:
        QanaError: images that cannot be read, unless `offenders` may leave them out; a cache folder that
            cannot be written.
    """
    decoded = decoded_images(
        table.pixels,
        preprocessing,
        cache_dir=cache_dir,
        label=f"images of {name}",
    )
    if preprocessing.colour != "rgb":  # corrected light says nothing about the skin
        decoded = replace(decoded, tone_ita_deg=np.full_like(decoded.tone_ita_deg, np.nan))
    problems = decoded.problems
    offenders.found(
        "image files cannot be read",
        [f"{table.image_ids[row]} ({reason})" for row, reason in sorted(problems.items())],
        where="dataset.root",
        allowed="complete image files",
        fix="fetch these files again",
    )
    rows = np.array([row for row in range(len(table)) if row not in problems], dtype=np.int64)
    return Gathered(name, classes, table, decoded, rows, offenders.skipped)


def _at(values: Sequence[str], rows: Rows) -> tuple[str, ...]:
    return tuple(values[row] for row in rows.tolist())
