"""What a report says of its data: which images, how they were split, and what the sides share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qana.dataset.splits import External, ImageSet, Splits
from qana.dataset.table.offenders import Skipped
from qana.evaluation.metrics import StageMetrics, agreement
from qana.evaluation.stages import converted_stage, in_ladder_order

SIDES = ("train", "val", "test")


def sides(splits: Splits) -> dict[str, ImageSet]:
    """The three sides of a split by name."""
    return {"train": splits.train, "val": splits.val, "test": splits.test}


def class_counts(target: NDArray[np.int64], classes: Sequence[str]) -> dict[str, int]:
    """How many images each class has, in the order of the classes; 0 where it has none."""
    found = np.bincount(target, minlength=len(classes))
    return {name: int(count) for name, count in zip(classes, found, strict=True)}


def dataset_block(splits: Splits) -> dict[str, Any]:
    """The block `dataset` of the report."""
    return {
        "name": splits.name,
        "fingerprint": splits.fingerprint,
        "classes": list(splits.classes),
        "sizes": {side: len(images) for side, images in sides(splits).items()},
        "class_counts": {
            side: class_counts(images.target, splits.classes) for side, images in sides(splits).items()
        },
        "split": {
            "protocol": splits.protocol,
            "group_key": splits.group_key,
            "leaked_groups": splits.leaked_groups,
            "folds": splits.folds,
            "fold": splits.fold,
            "hash": splits.split_hash,
            "siblings": {side: splits.audit.siblings[side] for side in ("val", "test")},
        },
        "preprocessing": dict(splits.preprocessing),
        "audit": splits.audit.as_dict(),
        "skipped": skipped_block(splits.skipped),
    }


def external_block(
    external: External,
    classes: Sequence[str],
    stages: Mapping[str, StageMetrics],
    logits: Mapping[str, NDArray[np.float32]],
) -> dict[str, Any]:
    """The block `external_test`: a second source, scored at every stage as the test split is.

    Every mean is over the classes that the source holds; `absent_classes` names the others.
    """
    akida = logits.get("akida")
    compared = agreement(logits[converted_stage(logits)], akida) if akida is not None else None
    counts = class_counts(external.images.target, classes)
    return {
        "name": external.name,
        "fingerprint": external.fingerprint,
        "size": len(external.images),
        "class_counts": counts,
        "absent_classes": [name for name, count in counts.items() if not count],
        "shared_images": list(external.audit.shared_images),
        "audit": external.audit.as_dict(),
        "skipped": skipped_block(external.skipped),
        "stages": {stage: stages[stage].as_dict() for stage in in_ladder_order(stages)},
        "agreement": compared,
    }


def skipped_block(skipped: Sequence[Skipped]) -> list[dict[str, Any]]:
    """What the run went on without, one entry per kind."""
    return [{"kind": entry.kind, "count": len(entry.names), "names": list(entry.names)} for entry in skipped]
