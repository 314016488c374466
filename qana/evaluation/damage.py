"""What the way from the float network to the chip did to each class: flipped images, recall and F1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qana.dataset.splits import ImageSet
from qana.evaluation.bootstrap import MIN_GROUPS, Bootstrap, interval95, resampled_scores
from qana.evaluation.confusion import Scores, confusion_matrix, scores
from qana.evaluation.stages import float_stage

Classes = NDArray[np.int64]
FLIPS = ("lost", "gained", "moved")


def damage_block(
    logits: Mapping[str, NDArray[np.float32]],
    images: ImageSet,
    classes: Sequence[str],
    bootstrap: Bootstrap,
) -> dict[str, Any] | None:
    """The block `conversion.damage`: every class before and after, the rarest first.

    A change is the chip's score minus the float network's, negative where the chip is worse. Its interval is
    paired, both being scored on the same draws of whole lesions; draws without the class are left out, since
    they say nothing about it. A class of fewer than `MIN_GROUPS` lesions is marked as few.

    Args:
        logits: stage to (N, C).
        images: the N test images.
        classes: C class names.
        bootstrap: of the intervals.

    Returns:
        None where there is no float network to compare with.
    """
    before = float_stage(logits)
    if before is None:
        return None
    preds = [logits[before].argmax(1), logits["akida"].argmax(1)]
    flips = count_flips(images.target, preds[0], preds[1], len(classes))
    found, draws = _scored(preds, images, len(classes), bootstrap)
    support = found[0].support.astype(int)
    rarest_first = sorted(range(len(classes)), key=lambda label: (support[label], classes[label]))
    lesion_ids = np.asarray(images.lesion_ids, dtype=str)
    return {
        "stages": [before, "akida"],
        "images": len(images),
        "min_groups": MIN_GROUPS,
        "flips": {kind: int(of_class.sum()) for kind, of_class in flips.items()},
        "per_class": {
            classes[label]: {
                "support": int(support[label]),
                **_groups(lesion_ids[images.target == label]),
                "flips": {kind: int(of_class[label]) for kind, of_class in flips.items()},
                "recall_change": _change(found, draws, "recall", label),
                "f1_change": _change(found, draws, "f1", label),
            }
            for label in rarest_first
        },
    }


def count_flips(target: Classes, before: Classes, after: Classes, num_classes: int) -> dict[str, Classes]:
    """Count the images of each true class that two stages give different names.

    Args:
        target: (N,) true classes.
        before: (N,) classes that the earlier stage names.
        after: (N,) classes that the later stage names.
        num_classes: C.

    Returns:
        Per kind (C,): ``lost`` were right and are wrong, ``gained`` were wrong and are right, ``moved`` are
        wrong both times, as another class.
    """
    was_right, is_right = before == target, after == target
    kinds = (was_right & ~is_right, ~was_right & is_right, (before != after) & ~was_right & ~is_right)
    return {
        kind: np.bincount(target[rows], minlength=num_classes)
        for kind, rows in zip(FLIPS, kinds, strict=True)
    }


def _scored(
    preds: Sequence[Classes], images: ImageSet, num_classes: int, bootstrap: Bootstrap
) -> tuple[list[Scores], list[Scores]]:
    """Scores before and after: on the test images as they are, and on every draw of their lesions."""
    target = images.target
    found = [scores(confusion_matrix(target, said, num_classes)) for said in preds]
    draws = [resampled_scores(target, said, images.lesion_ids, num_classes, bootstrap) for said in preds]
    return found, draws


def _groups(lesion_ids: NDArray[np.str_]) -> dict[str, Any]:
    groups = len(np.unique(lesion_ids))
    return {"groups": groups, "few": groups < MIN_GROUPS}


def _change(
    found: Sequence[Scores], draws: Sequence[Scores], score: str, label: int
) -> dict[str, Any] | None:
    """After minus before; None for a class without test images, of which there is no recall."""
    if not found[0].support[label]:
        return None
    holds_class = draws[0].support[:, label] > 0
    value, changes = (
        getattr(after, score)[..., label] - getattr(before, score)[..., label]
        for before, after in (found, draws)
    )
    return {"value": float(value), "ci95": list(interval95(changes[holds_class]))}
