"""Turns checked rows and the files of their images into the table that every source hands on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qana.dataset.pixels.image_files import ImageFiles
from qana.dataset.table.attributes import AGE, TEXTS, age_years, recorded
from qana.dataset.table.row_checks import GROUP, IMAGE, LABEL, SIDE
from qana.dataset.table.table import Table
from qana.dataset.table.table_file import TableFile


def assemble(
    file: TableFile,
    rows: pd.DataFrame,
    *,
    classes: Sequence[str],
    group_key: str | None,
    root: Path,
    paths: Mapping[str, Path],
) -> Table:
    """Sort the rows by image id and give every image its file.

    Args:
        file: where the rows come from, for the message.
        rows: in the columns that `row_checks` names; rows without a file are left out.
        classes: class names, in the order of the target indices; every ``label`` is one of them.
        group_key: what ``group`` is called; None where the source knows no groups.
        root: folder of the source.
        paths: image id to file.

    Raises:
        QanaError: no row is left.
    """
    rows = rows[rows[IMAGE].isin(list(paths))].sort_values(IMAGE, kind="stable")
    if rows.empty:
        allowed = "at least one image with a known label and a file"
        raise file.unfit("has no row that can be used", allowed=allowed)
    index = {name: label for label, name in enumerate(classes)}
    image_ids = tuple(rows[IMAGE])
    return Table(
        image_ids=image_ids,
        target=np.array([index[name] for name in rows[LABEL]], dtype=np.int64),
        groups=None if group_key is None else tuple(rows[GROUP]),
        group_key=group_key,
        attributes=_attributes(rows),
        official=tuple(rows[SIDE]) if SIDE in rows.columns else None,
        pixels=ImageFiles(root, [paths[name] for name in image_ids]),
    )


def _attributes(rows: pd.DataFrame) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}
    if AGE in rows.columns:
        found["age_years"] = age_years(rows[AGE])
    found.update({name: recorded(rows[name]) for name in TEXTS if name in rows.columns})
    return found
