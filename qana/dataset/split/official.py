"""The split that a source was published with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qana.dataset.split.class_groups import class_groups, count_groups, require_groups, rows_of_class
from qana.dataset.split.validation import draw_validation
from qana.errors import QanaError, listed

SIDES = ("train", "val", "test")
Rows = NDArray[np.int64]


def official_split(
    target: NDArray[np.int64],
    groups: Sequence[str],
    marks: Sequence[str],
    classes: Sequence[str],
    *,
    group_key: str,
    val_fraction: float,
    seed: int,
) -> tuple[Rows, Rows, Rows]:
    """Split rows as they are marked; without marks for validation, draw it from the train rows.

    Args:
        target: (N,) class index of each row.
        groups: N group names, kept together when validation is drawn; official marks stand as they are.
        marks: N times ``train``, ``val`` or ``test``.
        classes: class names, in the order of the indices.
        group_key: what the groups are, for messages.
        val_fraction: share of all N rows to draw for validation, in the class proportions of the train rows.
        seed: another seed draws another validation.

    Returns:
        Row indices of train, validation and test, each ascending.

    Raises:
        QanaError: no row marked for train or test, a class without train rows, or too little to draw from.
    """
    side = np.asarray(marks)
    train, val, test = (np.flatnonzero(side == name) for name in SIDES)
    _require_sides(train, test, marks)
    _require_classes(target[train], classes)
    if len(val):
        return train, val, test
    _require_rows(len(train), len(side), val_fraction)
    names = [groups[row] for row in train]
    found = class_groups(target[train], names, classes)
    _require_two(count_groups(target[train], names, classes), group_key)
    share = val_fraction * len(side) / len(train)
    wanted = {name: share * rows_of_class(sizes) for name, sizes in found.items()}
    drawn = draw_validation(found, wanted, salt="validation of the official train images", seed=seed)
    in_val = np.array([name in drawn for name in names])
    return train[~in_val], train[in_val], test


def _require_sides(train: Rows, test: Rows, marks: Sequence[str]) -> None:
    missing = [name for name, rows in (("train", train), ("test", test)) if not len(rows)]
    unknown = sorted({str(mark) for mark in marks} - set(SIDES))
    if not missing and not unknown:
        return
    faults = [f"no image for {name}" for name in missing] + [f"the unknown side {name!r}" for name in unknown]
    raise QanaError(
        f"the official split has {listed(faults)}",
        where="dataset.protocol = official",
        allowed="images marked train and test; val is drawn from train where none is marked",
        fix="correct the marks of the source, or dataset.protocol=lesion",
    )


def _require_classes(target: NDArray[np.int64], classes: Sequence[str]) -> None:
    present = set(target.tolist())
    absent = [name for label, name in enumerate(classes) if label not in present]
    if absent:
        raise QanaError(
            f"{len(absent)} classes have no image in the official train split: {listed(absent)}",
            where="dataset.protocol = official",
            allowed="at least one train image of each class",
            fix="dataset.protocol=lesion, or leave these classes out of the source",
        )


def _require_rows(train: int, rows: int, val_fraction: float) -> None:
    if val_fraction * rows < train:
        return
    raise QanaError(
        f"validation would take {val_fraction} of {rows} images, and only {train} are official train images",
        where=f"dataset.val_fraction = {val_fraction}, dataset.protocol = official",
        allowed=f"below {train / rows:.4g}: validation is drawn from the train images",
        fix="for example dataset.val_fraction=0.1",
    )


def _require_two(counts: dict[str, int], group_key: str) -> None:
    require_groups(
        counts,
        needed=2,
        unit=f"official train groups ({group_key})",
        where="dataset.protocol = official",
        reason="one to train and one to validate",
        fix="add images of these classes, mark some for validation, or leave the classes out of the source",
    )
