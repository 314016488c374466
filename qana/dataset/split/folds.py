"""Cuts a source into k folds: stratified by class, no group on two folds, the same on every machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qana.dataset.split.class_groups import ClassGroups, class_groups, rows_of_class
from qana.dataset.split.hashed_order import hashed, large_first


def groups_needed(folds: int) -> int:
    """Say how many groups a class needs so that train, validation and test all have one, whatever the fold.

    The folds that are not tested hold at least two groups if there are three folds or more. Of two folds each
    needs two groups, since one alone has to give both train and validation.
    """
    return folds * _least_per_fold(folds)


def assign_folds(
    target: ArrayLike, groups: Sequence[str], *, folds: int, seed: int, classes: Sequence[str]
) -> NDArray[np.int64]:
    """Give every row its fold, so that all rows of a group share it; see `fold_of_group`.

    Args:
        target: (N,) class index of each row.
        groups: N group names.
        folds: number of folds, at least 2.
        seed: another seed gives other folds.
        classes: class names, in the order of the indices; the names, not the indices, enter the hash.

    Returns:
        (N,) fold of each row, 0 to folds - 1.
    """
    found = class_groups(np.asarray(target, dtype=np.int64), groups, classes)
    fold_of = fold_of_group(found, folds=folds, seed=seed)
    return np.array([fold_of[group] for group in groups], dtype=np.int64)


def fold_of_group(found: ClassGroups, *, folds: int, seed: int) -> dict[str, int]:
    """Deal the groups of every class to the folds, large groups first.

    Each group goes to the fold that has the fewest rows of its class; of those, to the one that has the
    fewest rows altogether; then by hash. Fold sizes of a class therefore differ by one group at most, and
    the remainders of the classes do not pile up in fold 0. A class with `groups_needed` groups or more is
    in every fold.

    Args:
        found: class name to group name to rows.
        folds: number of folds, at least 2.
        seed: another seed gives other folds.

    Returns:
        Group name to fold.
    """
    totals = [0] * folds
    fold_of: dict[str, int] = {}
    for name in sorted(found, key=lambda name: (-rows_of_class(found[name]), name)):
        fold_of.update(_deal(found[name], totals, seed=seed, name=name))
    return fold_of


def _deal(sizes: Mapping[str, int], totals: list[int], *, seed: int, name: str) -> dict[str, int]:
    """Deal the groups of one class; `totals`, the rows of each fold over the classes so far, goes along."""
    folds = len(totals)
    last_resort = [hashed("fold", seed, name, fold) for fold in range(folds)]
    rows, counts = [0] * folds, [0] * folds
    fold_of: dict[str, int] = {}
    for dealt, group in enumerate(large_first(sizes, "folds", seed, name)):
        candidates = _open_folds(counts, groups_left=len(sizes) - dealt)
        fold = min(candidates, key=lambda fold: (rows[fold], totals[fold], last_resort[fold]))
        fold_of[group] = fold
        rows[fold] += sizes[group]
        totals[fold] += sizes[group]
        counts[fold] += 1
    return fold_of


def _open_folds(counts: Sequence[int], *, groups_left: int) -> list[int]:
    """Folds that may take the next group: all, or only the needy once the rest is just enough for them."""
    least = _least_per_fold(len(counts))
    lacking = [max(least - count, 0) for count in counts]
    everyone = groups_left > sum(lacking)
    return [fold for fold, lack in enumerate(lacking) if everyone or lack]


def _least_per_fold(folds: int) -> int:
    return 2 if folds == 2 else 1
