"""New diagnoses from a handful of lesions each."""

from __future__ import annotations

from typing import Any

import numpy as np

from qana.dataset.splits import Splits
from qana.errors import QanaError
from qana.incremental.protocol.class_incremental import ClassIncremental
from qana.incremental.protocol.sequence import Rows, shuffled_by_lesion


class FewShot(ClassIncremental):
    """As `ClassIncremental`, but a new class shows only a few lesions, drawn by the seed.

    Args:
        base_classes: how many classes the base session has, with all their images.
        lesions: of each new class; all photographs of a drawn lesion are shown.
    """

    name = "few_shot"

    def __init__(self, *, base_classes: int, lesions: int) -> None:
        super().__init__(base_classes=base_classes)
        if lesions < 1:
            raise QanaError(
                f"a class cannot be learned from {lesions} lesions",
                where=f"incremental.protocol.lesions = {lesions}",
                allowed="1 or more",
                fix="incremental.protocol.lesions=5",
            )
        self.lesions = lesions

    def described(self) -> dict[str, Any]:
        return {**super().described(), "lesions": self.lesions}

    def _shown(self, label: int, splits: Splits, rng: np.random.Generator) -> Rows:
        train = splits.train
        rows = shuffled_by_lesion(np.flatnonzero(train.target == label), train, rng)
        names = list(dict.fromkeys(train.lesion_ids[row] for row in rows.tolist()))
        if len(names) < self.lesions:
            raise QanaError(
                f"{splits.classes[label]} has {len(names)} lesions on the training side, not {self.lesions}",
                where=f"incremental.protocol.lesions = {self.lesions}",
                allowed=f"at most {len(names)} for these data",
                fix="show fewer lesions",
            )
        drawn = set(names[: self.lesions])
        return np.array([row for row in rows.tolist() if train.lesion_ids[row] in drawn], dtype=np.int64)
