"""Reads the HAM10000 table: which image shows which lesion, and its diagnosis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qana.errors import QanaError, listed

FILE_NAMES = ("HAM10000_metadata.csv", "HAM10000_metadata")  # the second is Dataverse's
COLUMNS = ("lesion_id", "image_id", "dx")


@dataclass(frozen=True)
class Metadata:
    """The rows of the table, sorted by image id.

    Attributes:
        image_ids: N unique names.
        lesion_ids: N lesion names.
        target: (N,) class index.
    """

    image_ids: tuple[str, ...]
    lesion_ids: tuple[str, ...]
    target: NDArray[np.int64]


def read_metadata(root: Path, classes: Sequence[str]) -> Metadata:
    """Read and check the table in `root`.

    Raises:
        QanaError: no table, not a CSV, a column or all rows missing, an empty cell, an unknown diagnosis,
            an image id twice, or a lesion with two diagnoses.
    """
    path = _find(root)
    table = _read(path)
    _require_columns(table, path)
    table = table.loc[:, list(COLUMNS)].apply(lambda column: column.str.strip())
    _require_cells(table, path)
    _require_classes(table, path, classes)
    _require_unique_images(table, path)
    _require_one_diagnosis(table, path)
    table = table.sort_values("image_id", kind="stable")
    index = {name: label for label, name in enumerate(classes)}
    return Metadata(
        image_ids=tuple(table["image_id"]),
        lesion_ids=tuple(table["lesion_id"]),
        target=np.array([index[name] for name in table["dx"]], dtype=np.int64),
    )


def _find(root: Path) -> Path:
    for name in FILE_NAMES:
        if (root / name).is_file():
            return root / name
    raise QanaError(
        f"there is no table of diagnoses in {root}",
        where=f"dataset.root = {root}",
        allowed=f"one of {' or '.join(FILE_NAMES)}, directly in that folder",
        fix="put the metadata file of HAM10000 (doi:10.7910/DVN/DBW86T) there",
    )


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise _unfit(path, f"is not a CSV table ({error})", "comma-separated text in UTF-8") from error


def _require_columns(table: pd.DataFrame, path: Path) -> None:
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        what = f"lacks the columns {listed(missing)}; it has {listed(list(table.columns))}"
        raise _unfit(path, what, f"the columns {listed(COLUMNS)}")
    if table.empty:
        raise _unfit(path, "has no rows", "one row per image")


def _require_cells(table: pd.DataFrame, path: Path) -> None:
    # Short rows are read as missing cells in spite of keep_default_na.
    empty = table.isna() | (table == "")
    offenders = [
        f"line {row + 2}: {', '.join(name for name in COLUMNS if empty.loc[row, name])}"
        for row in table.index[empty.any(axis=1)]
    ]
    if offenders:
        what = f"has {len(offenders)} rows with empty cells: {listed(offenders)}"
        raise _unfit(path, what, f"a value in {listed(COLUMNS)} of every row")


def _require_classes(table: pd.DataFrame, path: Path, classes: Sequence[str]) -> None:
    counts = table.loc[~table["dx"].isin(list(classes)), "dx"].value_counts()
    unknown = [f"{name!r} ({count} rows)" for name, count in counts.items()]
    if unknown:
        raise _unfit(path, f"has unknown diagnoses in dx: {listed(unknown)}", listed(classes))


def _require_unique_images(table: pd.DataFrame, path: Path) -> None:
    counts = table["image_id"].value_counts()
    repeated = [f"{name} ({count} rows)" for name, count in counts[counts > 1].sort_index().items()]
    if repeated:
        what = f"names {len(repeated)} images more than once: {listed(repeated)}"
        raise _unfit(path, what, "one row per image_id")


def _require_one_diagnosis(table: pd.DataFrame, path: Path) -> None:
    diagnoses = table.groupby("lesion_id")["dx"].unique()
    diagnoses = diagnoses[diagnoses.map(len) > 1]
    mixed = [f"{lesion} ({', '.join(sorted(found))})" for lesion, found in diagnoses.items()]
    if mixed:
        what = f"gives {len(mixed)} lesions more than one diagnosis: {listed(mixed)}"
        raise _unfit(path, what, "one dx per lesion_id")


def _unfit(path: Path, what: str, allowed: str) -> QanaError:
    return QanaError(
        f"{path.name} {what}",
        where=f"dataset.root = {path.parent}",
        allowed=allowed,
        fix=f"correct {path}, or fetch the published table again",
    )
