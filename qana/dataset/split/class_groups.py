"""Counts the rows of every group, class by class, and refuses classes that cannot be split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from qana.errors import QanaError, listed

ClassGroups = dict[str, dict[str, int]]  # class name -> group name -> rows


def class_groups(target: NDArray[np.int64], groups: Sequence[str], classes: Sequence[str]) -> ClassGroups:
    """Count the rows of every group, each group under one class.

    A patient may have several diagnoses: such a group counts, with all its rows, under that of its classes
    which the fewest groups have, so that rare classes are the ones that the split balances.

    Args:
        target: (N,) class index of each row.
        groups: N group names.
        classes: class names, in the order of the indices; every one is in the result, even without rows.
    """
    rows = Counter(groups)
    classes_of = _classes_of_groups(target, groups, classes)
    frequency = count_groups(target, groups, classes)
    found: ClassGroups = {name: {} for name in classes}
    for group, names in classes_of.items():
        rarest = min(names, key=lambda name: (frequency[name], name))
        found[rarest][group] = rows[group]
    return found


def count_groups(target: NDArray[np.int64], groups: Sequence[str], classes: Sequence[str]) -> dict[str, int]:
    """Count the groups with at least one row of each class; a group of two classes counts for both."""
    counts = Counter(name for names in _classes_of_groups(target, groups, classes).values() for name in names)
    return {name: counts[name] for name in classes}


def require_groups(
    counts: Mapping[str, int], *, needed: int, unit: str, where: str, reason: str, fix: str
) -> None:
    """Refuse classes with fewer than `needed` groups, all of them in one message.

    Args:
        counts: number of groups of each class.
        needed: groups that each class must have.
        unit: what a group is, in the plural, such as ``images``.
        where: the config keys that led here.
        reason: why so many are needed.
        fix: what to do about it.
    """
    poor = [f"{name} ({count})" for name, count in counts.items() if count < needed]
    if not poor and counts:
        return
    raise QanaError(
        f"classes with too few {unit} to split: {listed(poor) or 'the source names no class'}",
        where=where,
        allowed=f"at least {needed} {unit} of each class, {reason}",
        fix=fix,
    )


def rows_of_class(sizes: Mapping[str, int]) -> int:
    """Add up the rows of the groups of one class."""
    return sum(sizes.values())


def _classes_of_groups(
    target: NDArray[np.int64], groups: Sequence[str], classes: Sequence[str]
) -> dict[str, set[str]]:
    classes_of: dict[str, set[str]] = {}
    for label, group in zip(target.tolist(), groups, strict=True):
        classes_of.setdefault(group, set()).add(classes[label])
    return classes_of
