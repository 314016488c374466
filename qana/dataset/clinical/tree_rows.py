"""Reads a tree of folders: every image belongs to the label that its folder is named for."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from qana.dataset.clinical.labels import Labels
from qana.dataset.clinical.sides import with_sides
from qana.dataset.pixels.image_index import ImageIndex
from qana.dataset.table.offenders import Offenders
from qana.dataset.table.row_checks import IMAGE, LABEL, SIDE
from qana.dataset.table.table_file import TableFile


def read_tree(
    root: Path,
    found: ImageIndex,
    labels: Labels,
    file: TableFile,
    offenders: Offenders,
    *,
    with_split: bool,
) -> pd.DataFrame:
    """One row per image: its path below the root, and the class of its folder.

    With a split, the first folder of the path says the side: ``train/melanoma/a.jpg``.

    Raises:
        QanaError: folders that are no label, or no side, and none may be left out.
    """
    names = sorted(
        path.relative_to(root).as_posix()
        for paths in found.values()
        for path in paths
        if not path.name.startswith(".")  # what a Mac adds to archives
    )
    parts = [name.split("/") for name in names]
    rows = pd.DataFrame(
        {
            IMAGE: names,
            LABEL: [part[-2] if len(part) > 1 else "" for part in parts],
            "file": names,
        },
        dtype=str,
    )
    if with_split:
        rows = rows.assign(**{SIDE: [part[0] if len(part) > 2 else "" for part in parts]})
        rows = with_sides(file, rows, where="dataset.protocol = official", offenders=offenders)
    return labels.apply(file, rows, offenders)
