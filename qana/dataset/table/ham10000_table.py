"""Reads tables in the format of HAM10000: which image shows which lesion, and its diagnosis."""

from __future__ import annotations

import pandas as pd

from qana.dataset.table.attributes import without_bad_ages
from qana.dataset.table.csv_table import read_csv, require_columns
from qana.dataset.table.diagnoses import CLASSES
from qana.dataset.table.offenders import Offenders
from qana.dataset.table.row_checks import (
    GROUP,
    IMAGE,
    LABEL,
    without_empty_cells,
    without_mixed_lesions,
    without_repeated_images,
    without_unknown_labels,
)
from qana.dataset.table.table_file import TableFile

# Dataverse hands out the last two, as it finds fit; the first is Kaggle's.
FILE_NAMES = ("HAM10000_metadata.csv", "HAM10000_metadata.tab", "HAM10000_metadata")
# The columns that are needed, then those that are kept where they are there, and what they are called here.
NEEDED = {"lesion_id": GROUP, "image_id": IMAGE, "dx": LABEL}
KEPT = {name: name for name in ("dx_type", "age", "sex", "localization")}


def read_ham10000_rows(file: TableFile, offenders: Offenders) -> pd.DataFrame:
    """Read and check a table; its columns are renamed as `row_checks` says.

    Raises:
        QanaError: as `read_csv`; a column missing; or rows at fault, and none may be left out: empty cells,
            unknown diagnoses, two rows for an image, bad ages, a lesion with two diagnoses.
    """
    raw = read_csv(file, offenders, expected=list(NEEDED))
    require_columns(file, raw, list(NEEDED))
    raw = without_empty_cells(file, raw, list(NEEDED), offenders)
    return check_ham10000_rows(file, renamed(raw), offenders)


def renamed(raw: pd.DataFrame) -> pd.DataFrame:
    """The columns that are used, under the names used here."""
    names = {name: new for name, new in {**NEEDED, **KEPT}.items() if name in raw.columns}
    return raw[list(names)].rename(columns=names)


def check_ham10000_rows(file: TableFile, rows: pd.DataFrame, offenders: Offenders) -> pd.DataFrame:
    """The rows without those at fault.

    Raises:
        QanaError: rows at fault, and none may be left out.
    """
    rows = without_unknown_labels(file, rows, known=CLASSES, fix=file.fix, offenders=offenders)
    rows = without_repeated_images(file, rows, image=IMAGE, offenders=offenders)
    rows = without_bad_ages(file, rows, offenders)
    return without_mixed_lesions(file, rows, offenders)
