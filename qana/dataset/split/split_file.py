"""A split as a file: written into every run folder, and given back by `dataset.split_file`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qana.dataset.split.split_csv import sides_of_csv
from qana.dataset.split.split_hash import split_hash
from qana.dataset.split.split_json import SCHEMA, content_of_json
from qana.errors import QanaError, listed


@dataclass(frozen=True, kw_only=True)
class SplitFile:
    """Which images train, validate and test, and how that was decided.

    The hash names the sides and nothing else: two files of equal sides have equal hashes, whatever they
    say about their origin. What a file does not say (a table made by hand) is None.

    Attributes:
        source: the source that was split, such as ``ham10000``.
        fingerprint: content of that source (hex).
        protocol: ``lesion``, ``image`` or ``official``.
        group_key: what the groups are, such as ``lesion_id``.
        folds: number of folds.
        fold: the fold that tests.
        seed: seed of the split.
        val_fraction: share of all images that was asked for validation.
        train: ids of the images that train, sorted.
        val: ids of the images that validate, sorted.
        test: ids of the images that test, sorted.
        path: where it was read from, for messages.

    Raises:
        QanaError: an id twice, or a side without ids.
    """

    source: str | None
    fingerprint: str | None
    protocol: str | None
    group_key: str | None
    folds: int | None
    fold: int | None
    seed: int | None
    val_fraction: float | None
    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]
    path: Path | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        for name, ids in self.sides():
            object.__setattr__(self, name, tuple(sorted(ids)))
        _require_unique(self)
        require_sides({name: len(ids) for name, ids in self.sides()}, where=self.where)

    @classmethod
    def read(cls, path: Path) -> SplitFile:
        """Read a split: JSON as `dumps` writes it, or a CSV table with the columns image_id and split.

        Raises:
            QanaError: no such file, another kind of file, a structure that is not a split, or ids that do
                not match the hash beside them; a file without a hash is taken as it is.
        """
        kind = path.suffix.lower()
        if kind not in (".json", ".csv"):
            raise _unfit(path, "is no split file by its name", "split.json of a run, or a .csv table")
        try:
            raw = path.read_bytes()
        except OSError as error:
            what = f"cannot be read ({error.strerror})"
            raise _unfit(path, what, "an existing split.json or .csv table") from error
        content = sides_of_csv(raw, path) if kind == ".csv" else content_of_json(raw, path)
        fields: dict[str, Any] = {name: content.get(name) for name in _ORIGIN + _SIDES}
        found = cls(**fields, path=path)
        if content.get("hash") not in (None, found.hash):
            _refuse_edited(found, content["hash"])
        return found

    @property
    def where(self) -> str:
        """The config key that named the split, for messages."""
        return "dataset.split_file" + ("" if self.path is None else f" = {self.path}")

    @property
    def hash(self) -> str:
        """Name of the partition; see `split_hash`."""
        return split_hash(self.train, self.val, self.test)

    def dumps(self) -> bytes:
        """Write the split as JSON, one id per line; equal splits give equal bytes."""
        content = {
            "schema": SCHEMA,
            **{name: getattr(self, name) for name in _ORIGIN},
            "hash": self.hash,
            **dict(self.sides()),
        }
        return (json.dumps(content, indent=1) + "\n").encode("ascii")

    def sides(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Name and ids of train, val and test."""
        return ((name, getattr(self, name)) for name in _SIDES)


_ORIGIN = ("source", "fingerprint", "protocol", "group_key", "folds", "fold", "seed", "val_fraction")
_SIDES = ("train", "val", "test")


def _require_unique(split: SplitFile) -> None:
    places: dict[str, list[str]] = {}
    for name, ids in split.sides():
        for image_id in ids:
            places.setdefault(image_id, []).append(name)
    twice = [
        f"{image_id} ({', '.join(names)})" for image_id, names in sorted(places.items()) if len(names) > 1
    ]
    if twice:
        raise QanaError(
            f"{len(twice)} images are named more than once: {listed(twice)}",
            where=split.where,
            allowed="every image on one side, once",
            fix="leave each of them on one side",
        )


def require_sides(sizes: Mapping[str, int], *, where: str) -> None:
    """Refuse a split with an empty side.

    Args:
        sizes: images of train, val and test.
        where: the config key that named the split.
    """
    empty = [name for name, size in sizes.items() if not size]
    if empty:
        raise QanaError(
            f"the split has no image of the source for {listed(empty)}",
            where=where,
            allowed="at least one image for each of train, val and test",
            fix="give a split of this source, or dataset.split_file=null to make a new one",
        )


def _refuse_edited(split: SplitFile, recorded: str) -> None:
    sizes = ", ".join(f"{len(ids)} {name}" for name, ids in split.sides())
    raise QanaError(
        f"{split.path} was changed after it was written: its ids ({sizes}) hash to {split.hash}, "
        f"while it records {recorded}",
        where=split.where,
        allowed="ids that match the hash beside them, or no hash",
        fix='restore the file, or delete its "hash" line if the change is meant',
    )


def _unfit(path: Path, what: str, allowed: str) -> QanaError:
    return QanaError(
        f"{path} {what}",
        where=f"dataset.split_file = {path}",
        allowed=allowed,
        fix="name the split.json in the folder of a run, or dataset.split_file=null to make a new split",
    )
