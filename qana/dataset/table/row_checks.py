"""Leaves out the rows that cannot be used, one kind of fault at a time; each kind is told to the offenders.

Once the columns that a source names are read, every source speaks of ``image_id``, ``label``, ``group``,
``side``, ``age``, ``sex``, ``localization`` and ``dx_type``; those it does not know are not there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import pandas as pd

from qana.dataset.table.offenders import Offenders
from qana.dataset.table.table_file import TableFile
from qana.errors import listed

IMAGE, LABEL, GROUP, SIDE = "image_id", "label", "group", "side"


def without_empty_cells(
    file: TableFile, rows: pd.DataFrame, columns: Sequence[str], offenders: Offenders
) -> pd.DataFrame:
    """Rows in which each of these columns of the file has a value."""
    empty = rows[list(columns)] == ""
    bad = empty.any(axis=1)
    names = [
        f"line {line}: {', '.join(name for name in columns if empty.at[line, name])}"
        for line in rows.index[bad]
    ]
    offenders.found(
        f"rows of {file.name} with empty cells",
        names,
        where=file.where,
        allowed=f"a value in {listed(columns)} of every row",
        fix=file.fix,
    )
    return rows[~bad]


def without_unknown_labels(
    file: TableFile, rows: pd.DataFrame, *, known: Iterable[str], fix: str, offenders: Offenders
) -> pd.DataFrame:
    """Rows whose ``label`` is known.

    Args:
        file: the table.
        rows: its rows.
        known: every label that means a class.
        fix: what to do about others.
        offenders: told of the others.
    """
    known = list(known)
    bad = ~rows[LABEL].isin(known)
    counts = Counter(rows.loc[bad, LABEL])
    # Images alone would hide which labels there are, and the labels are what has to be put right.
    found = listed([f"{name!r}: {count}" for name, count in counts.most_common()])
    offenders.found(
        f"images of {file.name} with unknown labels ({found})",
        with_values(rows[bad], LABEL),
        where=file.where,
        allowed=listed(known),
        fix=fix,
    )
    return rows[~bad]


def without_repeated_images(
    file: TableFile, rows: pd.DataFrame, *, image: str, offenders: Offenders
) -> pd.DataFrame:
    """One row per image: of equal rows the first; of rows that contradict each other, none.

    Args:
        file: the table.
        rows: its rows; two that agree in everything but ``image_id`` are equal.
        image: column that tells images apart.
        offenders: told of the repeated images.
    """
    compared = list(dict.fromkeys([image, *(name for name in rows.columns if name != IMAGE)]))
    repeats = rows.duplicated(compared)
    offenders.found(
        f"images with the same row more than once in {file.name}",
        _counted(rows, image, set(rows.loc[repeats, image])),
        where=file.where,
        allowed="one row per image",
        fix=f"remove the repeated rows; {file.fix}",
    )
    rows = rows[~repeats]
    contradicting = rows.duplicated(image, keep=False)
    offenders.found(
        f"images with rows in {file.name} that contradict each other",
        _counted(rows, image, set(rows.loc[contradicting, image])),
        where=file.where,
        allowed="one row per image",
        fix=f"keep the right row of each; {file.fix}",
    )
    return rows[~contradicting]


def without_mixed_lesions(file: TableFile, rows: pd.DataFrame, offenders: Offenders) -> pd.DataFrame:
    """Rows of lesions that have one ``label``; every row of a ``group`` with several is left out."""
    pairs = rows[[GROUP, LABEL]].drop_duplicates()
    mixed: dict[str, list[str]] = {}
    for group, label in pairs[pairs.duplicated(GROUP, keep=False)].itertuples(index=False):
        mixed.setdefault(group, []).append(label)
    offenders.found(
        f"lesions of {file.name} with more than one diagnosis",
        [f"{name} ({', '.join(sorted(labels))})" for name, labels in sorted(mixed.items())],
        where=file.where,
        allowed="one diagnosis per lesion",
        fix=file.fix,
    )
    return rows[~rows[GROUP].isin(list(mixed))]


def with_values(rows: pd.DataFrame, column: str) -> list[str]:
    """What messages call these rows: the image, and what one of its columns says."""
    return [f"{image} ({value!r})" for image, value in zip(rows[IMAGE], rows[column], strict=True)]


def _counted(rows: pd.DataFrame, image: str, chosen: set[str]) -> list[str]:
    counts = Counter(rows.loc[rows[image].isin(chosen), image])
    return [f"{name} ({count} rows)" for name, count in sorted(counts.items())]
