"""Splits the rows of a source into train, validation and test by one of three protocols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qana.dataset.split.class_groups import (
    ClassGroups,
    class_groups,
    count_groups,
    require_groups,
    rows_of_class,
)
from qana.dataset.split.folds import fold_of_group, groups_needed
from qana.dataset.split.official import official_split
from qana.dataset.split.settings import Protocol, check_settings
from qana.dataset.split.validation import draw_validation
from qana.errors import QanaError, listed

Rows = NDArray[np.int64]


def split(
    target: ArrayLike,
    image_ids: Sequence[str],
    *,
    groups: Sequence[str] | None,
    group_key: str | None,
    official: Sequence[str] | None,
    classes: Sequence[str],
    protocol: Protocol,
    folds: int,
    fold: int,
    val_fraction: float,
    seed: int,
) -> tuple[Rows, Rows, Rows]:
    """Split rows into train, validation and test.

    ``lesion``: test is fold `fold` of `folds`, stratified by class, no group on two sides; validation is
    drawn from the rest in the same way. ``image``: the same with every image as its own group, so that
    photographs of one lesion may be on two sides, as in many papers. ``official``: the marks of the source;
    validation is drawn from the official train images where the source marks none, grouped where it knows
    groups.

    The result depends on the names, classes and the seed only: not on the order of the rows, the machine or
    the version of a library.

    Args:
        target: (N,) class index of each row.
        image_ids: N unique names.
        groups: N group names, or None if the source knows none.
        group_key: what the groups are, such as ``lesion_id``.
        official: N marks ``train``, ``val`` or ``test``, or None if the source has no split of its own.
        classes: class names, in the order of the indices.
        protocol: ``lesion``, ``image`` or ``official``.
        folds: number of folds; not used by ``official``.
        fold: the fold that tests; 0 under ``official``.
        val_fraction: share of all rows that validates; not used where the source marks its validation.
        seed: another seed gives other folds and another validation.

    Returns:
        Row indices of train, validation and test, each ascending; together 0 to N - 1, each once.

    Raises:
        QanaError: settings that `check_settings` refuses, a protocol that the source has no data for, or
            classes with too few groups (or no row at all).
    """
    check_settings(protocol=protocol, folds=folds, fold=fold, val_fraction=val_fraction)
    labels = np.asarray(target, dtype=np.int64)
    if protocol == "official":
        units = image_ids if groups is None else groups
        marks = _known_marks(official)
        key = group_key or "image_id"
        return official_split(
            labels, units, marks, classes, group_key=key, val_fraction=val_fraction, seed=seed
        )
    units = image_ids if protocol == "image" else _known_groups(groups, official)
    found = class_groups(labels, units, classes)
    _require_enough(count_groups(labels, units, classes), protocol, folds)
    side_of = _sides(found, folds=folds, fold=fold, val_fraction=val_fraction, seed=seed)
    side = np.array([side_of[unit] for unit in units])
    train, val, test = (np.flatnonzero(side == name) for name in ("train", "val", "test"))
    _require_every_class({"train": labels[train], "val": labels[val], "test": labels[test]}, classes, seed)
    return train, val, test


def _require_every_class(sides: Mapping[str, NDArray[np.int64]], classes: Sequence[str], seed: int) -> None:
    """Only groups of several classes can leave a side without one."""
    lacking = [
        f"{classes[label]} ({side})"
        for side, labels in sides.items()
        for label in sorted(set(range(len(classes))) - set(labels.tolist()))
    ]
    if lacking:
        raise QanaError(
            f"the groups carry several classes each, and these sides are left without one: {listed(lacking)}",
            where=f"dataset.seed = {seed}, dataset.protocol = lesion",
            allowed="every class on every side",
            fix="give another dataset.seed or fewer dataset.folds, or name the lesions as groups",
        )


def _sides(found: ClassGroups, *, folds: int, fold: int, val_fraction: float, seed: int) -> dict[str, str]:
    """Group name to its side."""
    fold_of = fold_of_group(found, folds=folds, seed=seed)
    rest = {
        name: {group: rows for group, rows in sizes.items() if fold_of[group] != fold}
        for name, sizes in found.items()
    }
    wanted = {name: val_fraction * rows_of_class(sizes) for name, sizes in found.items()}
    val = draw_validation(rest, wanted, salt=f"validation of fold {fold}", seed=seed)
    return {
        group: "test" if fold_of[group] == fold else "val" if group in val else "train" for group in fold_of
    }


def _require_enough(counts: Mapping[str, int], protocol: str, folds: int) -> None:
    unit = "images" if protocol == "image" else "lesions (groups)"
    fewest = min(counts.values(), default=0)
    fewer_folds = f"dataset.folds={fewest}, or " if fewest >= 3 else ""
    require_groups(
        counts,
        needed=groups_needed(folds),
        unit=unit,
        where=f"dataset.folds = {folds}, dataset.protocol = {protocol}",
        reason="so that each of train, validation and test has one in every fold",
        fix=f"{fewer_folds}add {unit} of these classes, or leave the classes out of the source",
    )


def _known_groups(groups: Sequence[str] | None, official: Sequence[str] | None) -> Sequence[str]:
    if groups is not None:
        return groups
    others = "image" if official is None else "image, official"
    raise QanaError(
        "the source does not say which images show the same lesion, so they cannot be kept together",
        where="dataset.protocol = lesion",
        allowed=f"for this source: {others}",
        fix="name the column that groups the images, if there is one, or dataset.protocol=image",
    )


def _known_marks(official: Sequence[str] | None) -> Sequence[str]:
    if official is not None:
        return official
    raise QanaError(
        "the source has no split of its own",
        where="dataset.protocol = official",
        allowed="for this source: lesion (where it knows groups), image",
        fix="dataset.protocol=lesion, or give a split as dataset.split_file",
    )
