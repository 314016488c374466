"""The clinic's own split, in its own words."""

from __future__ import annotations

import pandas as pd

from qana.dataset.table.offenders import Offenders
from qana.dataset.table.row_checks import SIDE, with_values
from qana.dataset.table.table_file import TableFile

WORDS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


def with_sides(file: TableFile, rows: pd.DataFrame, *, where: str, offenders: Offenders) -> pd.DataFrame:
    """The rows whose ``side`` is known, with ``train``, ``val`` or ``test`` for it; case does not matter.

    Raises:
        QanaError: other words, and none may be left out.
    """
    sides = [WORDS.get(word.casefold(), "") for word in rows[SIDE]]
    offenders.found(
        f"images of {file.name} on an unknown side of the split",
        with_values(rows[[not side for side in sides]], SIDE),
        where=where,
        allowed=", ".join(WORDS),
        fix=file.fix,
    )
    rows = rows.assign(**{SIDE: sides})
    return rows[rows[SIDE] != ""]
