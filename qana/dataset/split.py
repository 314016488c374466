"""Splits a source into train, validation and test so that no lesion is on two sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qana.dataset.fingerprint import fingerprint
from qana.dataset.splits import ImageSet, Splits
from qana.errors import QanaError, listed

NUM_SPLITS = 3  # train, validation, test

Indices = NDArray[np.int64]


def require_fractions(*, val_fraction: float, test_fraction: float) -> None:
    """Refuse fractions that leave one of the three splits empty.

    Raises:
        QanaError: a fraction is not above 0, or together they reach 1.
    """
    if val_fraction > 0 and test_fraction > 0 and val_fraction + test_fraction < 1:
        return
    raise QanaError(
        f"validation takes {val_fraction} and test takes {test_fraction} of the images",
        where=f"dataset.val_fraction = {val_fraction}, dataset.test_fraction = {test_fraction}",
        allowed="both above 0, their sum below 1",
        fix="for example dataset.val_fraction=0.15 dataset.test_fraction=0.15",
    )


def split_by_group(
    target: ArrayLike,
    groups: ArrayLike,
    *,
    val_fraction: float,
    test_fraction: float,
    seed: int,
    classes: Sequence[str] | None = None,
) -> tuple[Indices, Indices, Indices]:
    """Split rows by class proportion while every group stays on one side.

    Class by class: the groups are sorted, shuffled with the seed, then ordered from large to small; each
    goes to the split that still lacks the largest share of its rows. So every split gets at least one group
    of each class, large groups spread over all three, and the order of the rows does not matter.

    Args:
        target: (N,) class index of each row.
        groups: (N,) group of each row, such as its lesion id.
        val_fraction: share of the rows for validation, above 0.
        test_fraction: share of the rows for test, above 0.
        seed: another seed gives another split.
        classes: names for the messages; a class named here without a single row is an error as well.

    Returns:
        Row indices of train, validation and test, each ascending; together 0 to N - 1, each once.

    Raises:
        QanaError: bad fractions, a class with fewer than three groups, or a group with two classes.
    """
    require_fractions(val_fraction=val_fraction, test_fraction=test_fraction)
    target = np.asarray(target, dtype=np.int64)
    names, group_of_row, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    class_of_group = _class_of_group(target, group_of_row, names)
    labels = range(len(classes)) if classes is not None else sorted({int(label) for label in target})
    _require_groups(class_of_group, labels, classes)
    shares = np.array([1 - val_fraction - test_fraction, val_fraction, test_fraction])
    split_of_group = np.empty(len(names), dtype=np.int64)
    for label in labels:
        members = np.flatnonzero(class_of_group == label)
        rng = np.random.default_rng([seed, label])
        split_of_group[members] = _assign(sizes[members], shares, rng)
    split_of_row = split_of_group[group_of_row]
    train, val, test = (np.flatnonzero(split_of_row == split) for split in range(NUM_SPLITS))
    return train, val, test


def count_leaked_groups(*sides: Sequence[str]) -> int:
    """Count the groups that appear on more than one side."""
    appearances = Counter(group for side in sides for group in set(side))
    return sum(count > 1 for count in appearances.values())


def split_by_lesion(
    name: str,
    classes: Sequence[str],
    source: ImageSet,
    *,
    val_fraction: float,
    test_fraction: float,
    seed: int,
) -> Splits:
    """Cut a whole source into its three splits by lesion and take its fingerprint.

    Args:
        name: the source, such as ``ham10000``.
        classes: class names, in the order of the target indices.
        source: every image of the source.
        val_fraction: share of the images for validation.
        test_fraction: share of the images for test.
        seed: another seed gives another split.

    Raises:
        QanaError: as `split_by_group`.
    """
    parts = split_by_group(
        source.target,
        source.lesion_ids,
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        seed=seed,
        classes=classes,
    )
    train, val, test = (_take(source, rows) for rows in parts)
    return Splits(
        name=name,
        classes=tuple(classes),
        train=train,
        val=val,
        test=test,
        fingerprint=fingerprint(source),
        protocol="lesion",
        group_key="lesion_id",
        leaked_groups=count_leaked_groups(train.lesion_ids, val.lesion_ids, test.lesion_ids),
    )


def _take(source: ImageSet, rows: Indices) -> ImageSet:
    return ImageSet(
        images=source.images[rows],
        target=source.target[rows],
        image_ids=tuple(source.image_ids[row] for row in rows),
        lesion_ids=tuple(source.lesion_ids[row] for row in rows),
    )


def _assign(sizes: Indices, shares: NDArray[np.float64], rng: np.random.Generator) -> Indices:
    """Give each group of one class its split; `shares` of train, validation, test sum to 1."""
    wanted = shares * sizes.sum()
    taken = np.zeros(NUM_SPLITS)
    split_of_group = np.empty(len(sizes), dtype=np.int64)
    order = rng.permutation(len(sizes))
    for group in order[np.argsort(-sizes[order], kind="stable")]:
        split = int(np.argmax((wanted - taken) / wanted))
        split_of_group[group] = split
        taken[split] += sizes[group]
    return split_of_group


def _class_of_group(target: Indices, group_of_row: Indices, names: NDArray[np.str_]) -> Indices:
    lowest = np.full(len(names), np.iinfo(np.int64).max)
    highest = np.full(len(names), np.iinfo(np.int64).min)
    np.minimum.at(lowest, group_of_row, target)
    np.maximum.at(highest, group_of_row, target)
    mixed = names[lowest != highest]
    if len(mixed):
        raise QanaError(
            f"{len(mixed)} lesions carry more than one class: {listed(mixed)}",
            where="dataset (grouped by lesion_id)",
            allowed="one class per lesion",
            fix="correct the labels or give each lesion its own id",
        )
    return lowest


def _require_groups(class_of_group: Indices, labels: Sequence[int], classes: Sequence[str] | None) -> None:
    counts = {label: int((class_of_group == label).sum()) for label in labels}
    poor = [
        f"{classes[label] if classes is not None else label} ({count})"
        for label, count in counts.items()
        if count < NUM_SPLITS
    ]
    if poor or not counts:
        raise QanaError(
            f"too few lesions to split: {listed(poor) or 'there are no rows'}",
            where="dataset (grouped by lesion_id)",
            allowed=f"at least {NUM_SPLITS} lesions per class, one for each of train, validation and test",
            fix="add lesions of these classes, or images to a synthetic source (dataset.images)",
        )
