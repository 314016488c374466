"""New diagnoses: the base session knows the frequent classes, the others arrive one at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from qana.dataset.splits import ImageSet, Splits
from qana.errors import QanaError
from qana.incremental.protocol.sequence import (
    NO_SESSION,
    Rows,
    Sequence,
    balanced_order,
    shuffled_by_lesion,
    with_new_classes,
)


class ClassIncremental:
    """Starts with the most frequent classes of the training side; each session adds one of the others.

    Args:
        base_classes: how many classes the base session has, at least 2; the rare ones come later.
    """

    name = "class"

    def __init__(self, *, base_classes: int) -> None:
        if base_classes < 2:
            raise QanaError(
                f"a base session with {base_classes} class(es) has nothing to tell apart",
                where=f"incremental.protocol.base_classes = {base_classes}",
                allowed="2 or more, and fewer than the data have",
                fix="incremental.protocol.base_classes=4",
            )
        self.base_classes = base_classes

    def base_rows(self, images: ImageSet, train: ImageSet) -> Rows:
        return np.flatnonzero(np.isin(images.target, self._by_count(train)[: self.base_classes]))

    def sequence(self, splits: Splits, *, seed: int) -> Sequence:
        rng, train, test = np.random.default_rng(seed), splits.train, splits.test
        base, new = np.split(self._by_count(train), [self.base_classes])
        order = new[balanced_order(len(new), seed=seed)]
        rows = [shuffled_by_lesion(self.base_rows(train, train), train, rng)]
        rows += [self._shown(label, splits, rng) for label in order.tolist()]
        names = ["base", *(splits.classes[label] for label in order.tolist())]
        test_session = np.full(len(test), NO_SESSION, dtype=np.int64)
        test_session[np.isin(test.target, base)] = 0
        for place, label in enumerate(order.tolist(), start=1):
            test_session[test.target == label] = place
        return Sequence(with_new_classes(zip(names, rows, strict=True), train), test_session)

    def described(self) -> dict[str, Any]:
        return {"name": self.name, "base_classes": self.base_classes}

    def _shown(self, label: int, splits: Splits, rng: np.random.Generator) -> Rows:
        """Rows of a class that arrives, in order; all of them here."""
        return shuffled_by_lesion(np.flatnonzero(splits.train.target == label), splits.train, rng)

    def _by_count(self, train: ImageSet) -> Rows:
        """Classes of the training side, most frequent first; equals in the order of their index."""
        counts = np.bincount(train.target)
        present = np.flatnonzero(counts)
        if len(present) <= self.base_classes:
            raise QanaError(
                f"the data have {len(present)} classes, so none is left to arrive",
                where=f"incremental.protocol.base_classes = {self.base_classes}",
                allowed=f"2 to {len(present) - 1}",
                fix="make it smaller",
            )
        return present[np.argsort(-counts[present], kind="stable")]
