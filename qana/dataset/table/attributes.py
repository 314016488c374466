"""What is told of the patient beside the diagnosis: age, sex, place on the body."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qana.dataset.table.offenders import Offenders
from qana.dataset.table.row_checks import with_values
from qana.dataset.table.table import UNKNOWN
from qana.dataset.table.table_file import TableFile

AGE = "age"
TEXTS = ("sex", "localization", "dx_type")
OLDEST_YEARS = 120
# What tables write for "not recorded".
UNRECORDED = frozenset({"", "unknown", "na", "n/a", "nan", "none", "null", "-", "?"})


def without_bad_ages(file: TableFile, rows: pd.DataFrame, offenders: Offenders) -> pd.DataFrame:
    """Rows whose ``age`` is not recorded, or a number of years from 0 to 120."""
    if AGE not in rows.columns:
        return rows
    bad = np.array([not _is_age(text) for text in rows[AGE]], dtype=bool)
    offenders.found(
        f"images of {file.name} with an age that is no number of years",
        with_values(rows[bad], AGE),
        where=file.where,
        allowed=f"0 to {OLDEST_YEARS}, or an empty cell where it is not known",
        fix=file.fix,
    )
    return rows[~bad]


def age_years(texts: Iterable[str]) -> NDArray[np.float64]:
    """(N,) years, NaN where not recorded; a comma may mark decimals."""
    return np.array([_years(text) for text in texts], dtype=np.float64)


def recorded(texts: Iterable[str]) -> NDArray[np.str_]:
    """(N,) as written, ``unknown`` where not recorded."""
    return np.array([UNKNOWN if text.casefold() in UNRECORDED else text for text in texts], dtype=np.str_)


def _is_age(text: str) -> bool:
    try:
        years = _years(text)
    except ValueError:
        return False
    return text.casefold() in UNRECORDED or 0 <= years <= OLDEST_YEARS


def _years(text: str) -> float:
    return math.nan if text.casefold() in UNRECORDED else float(text.replace(",", "."))
