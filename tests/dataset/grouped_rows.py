"""Rows of images in groups for the tests of splits: any class balance, in any order."""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from qana.dataset.split import split

CLASSES = ("bcc", "mel", "nv", "vasc")


class Rows(NamedTuple):
    target: np.ndarray
    groups: tuple[str, ...]
    image_ids: tuple[str, ...]
    classes: tuple[str, ...]


class Case(NamedTuple):
    rows: Rows
    folds: int
    fold: int
    seed: int


def rows_of_groups(sizes_of_class):
    """Rows of `{class name: group sizes}`, class by class."""
    table = [
        (label, f"{name}-{group}")
        for label, (name, sizes) in enumerate(sizes_of_class.items())
        for group, size in enumerate(sizes)
        for _ in range(size)
    ]
    return Rows(
        np.array([label for label, _ in table], dtype=np.int64),
        tuple(group for _, group in table),
        tuple(f"I{row:05}" for row in range(len(table))),
        tuple(sizes_of_class),
    )


def reordered(rows, order):
    return Rows(
        rows.target[order],
        tuple(rows.groups[row] for row in order),
        tuple(rows.image_ids[row] for row in order),
        rows.classes,
    )


@st.composite
def cases(draw):
    """1 to 4 classes of just enough groups or many, each of 1 to 8 rows; 2 to 6 folds; any fold and seed."""
    folds = draw(st.integers(2, 6))
    needed = 4 if folds == 2 else folds
    classes = CLASSES[: draw(st.integers(1, len(CLASSES)))]
    sizes = st.lists(st.integers(1, 8), min_size=needed, max_size=needed + 25)
    rows = rows_of_groups({name: draw(sizes) for name in classes})
    return Case(rows, folds, draw(st.integers(0, folds - 1)), draw(st.integers(0, 2**63)))


def split_rows(rows, *, protocol="lesion", folds=5, fold=0, val_fraction=0.15, seed=0, official=None):
    return split(
        rows.target,
        rows.image_ids,
        groups=rows.groups,
        group_key="lesion_id",
        official=official,
        classes=rows.classes,
        protocol=protocol,
        folds=folds,
        fold=fold,
        val_fraction=val_fraction,
        seed=seed,
    )


def ids_of(rows, parts):
    """Image ids of each side."""
    return [frozenset(rows.image_ids[row] for row in part) for part in parts]
