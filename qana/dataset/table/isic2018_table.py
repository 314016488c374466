"""Reads the ground truth of ISIC 2018 Task 3: one-hot diagnoses, and which images show the same lesion."""

from __future__ import annotations

import pandas as pd

from qana.dataset.table.attributes import without_bad_ages
from qana.dataset.table.csv_table import read_csv, require_columns
from qana.dataset.table.diagnoses import CLASSES
from qana.dataset.table.ham10000_table import NEEDED as HAM10000_COLUMNS
from qana.dataset.table.ham10000_table import renamed
from qana.dataset.table.offenders import Offenders
from qana.dataset.table.row_checks import (
    GROUP,
    IMAGE,
    LABEL,
    without_empty_cells,
    without_repeated_images,
    without_unknown_labels,
)
from qana.dataset.table.table_file import TableFile

# In the order of the published header; the names are those of HAM10000 in capitals.
ONE_HOT = {"MEL": "mel", "NV": "nv", "BCC": "bcc", "AKIEC": "akiec", "BKL": "bkl", "DF": "df", "VASC": "vasc"}
ONE_HOT_COLUMNS = ("image", *ONE_HOT)
GROUPING_COLUMNS = ("image", "lesion_id")


def read_ground_truth(file: TableFile, offenders: Offenders) -> pd.DataFrame:
    """Read one side of the challenge: ``image_id``, ``label``, ``group`` (empty: unknown) and more.

    The challenge's own files are one-hot. Dataverse (doi:10.7910/DVN/DBW86T) hands out the test side in the
    format of HAM10000, with lesions, age, sex and place on the body; both are read.

    Raises:
        QanaError: as `read_csv`; a column missing; or rows at fault, and none may be left out.
    """
    raw = read_csv(file, offenders, expected=[*ONE_HOT_COLUMNS, *HAM10000_COLUMNS])
    if {"image_id", "dx"} <= set(raw.columns):
        rows = _diagnoses(file, raw, offenders)
    else:
        rows = _one_hot(file, raw, offenders)
    rows = without_repeated_images(file, rows, image=IMAGE, offenders=offenders)
    return without_bad_ages(file, rows, offenders)


def read_lesions(file: TableFile, offenders: Offenders) -> pd.DataFrame:
    """Read which lesion every training image shows: ``image_id``, ``group`` and, where told, ``dx_type``.

    Raises:
        QanaError: as `read_csv`; a column missing; or rows at fault, and none may be left out.
    """
    raw = read_csv(file, offenders, expected=GROUPING_COLUMNS)
    require_columns(file, raw, GROUPING_COLUMNS)
    raw = without_empty_cells(file, raw, GROUPING_COLUMNS, offenders)
    names = {"image": IMAGE, "lesion_id": GROUP, "diagnosis_confirm_type": "dx_type"}
    kept = [name for name in names if name in raw.columns]
    rows = raw[kept].rename(columns=names)
    return without_repeated_images(file, rows, image=IMAGE, offenders=offenders)


def _diagnoses(file: TableFile, raw: pd.DataFrame, offenders: Offenders) -> pd.DataFrame:
    raw = without_empty_cells(file, raw, ("image_id", "dx"), offenders)
    rows = renamed(raw)
    rows = rows if GROUP in rows.columns else rows.assign(**{GROUP: ""})
    return without_unknown_labels(file, rows, known=CLASSES, fix=file.fix, offenders=offenders)


def _one_hot(file: TableFile, raw: pd.DataFrame, offenders: Offenders) -> pd.DataFrame:
    require_columns(file, raw, ONE_HOT_COLUMNS)
    raw = without_empty_cells(file, raw, ONE_HOT_COLUMNS, offenders)
    cells = raw[list(ONE_HOT)]
    ones = cells.map(lambda text: _number(text) == 1)
    zeros = cells.map(lambda text: _number(text) == 0)
    good = (ones | zeros).all(axis=1) & (ones.sum(axis=1) == 1)
    offenders.found(
        f"images of {file.name} without exactly one diagnosis",
        [f"{raw.at[line, 'image']} ({_marks(cells.loc[line])})" for line in raw.index[~good]],
        where=file.where,
        allowed=f"1.0 in one of {', '.join(ONE_HOT)}, and 0.0 in the others",
        fix=file.fix,
    )
    labels = ones[good].idxmax(axis=1).map(ONE_HOT)
    return pd.DataFrame({IMAGE: raw.loc[good, "image"], LABEL: labels, GROUP: ""}, index=raw.index[good])


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _marks(cells: pd.Series) -> str:
    marked = [f"{name}={text}" for name, text in cells.items() if _number(text) != 0]
    return ", ".join(marked) or "all 0"
