"""For whom it works: the scores of the test images, stratum by stratum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qana.dataset.splits import ImageSet
from qana.evaluation.bootstrap import MIN_GROUPS, Bootstrap, interval95, resampled_scores
from qana.evaluation.confusion import Scores, confusion_matrix, scores
from qana.evaluation.strata import Rows, rows_by_value, strata_of

_MEANS = ("accuracy", "balanced_accuracy")


def strata_block(
    logits: Mapping[str, NDArray[np.float32]],
    images: ImageSet,
    classes: Sequence[str],
    bootstrap: Bootstrap,
) -> dict[str, Any] | None:
    """The block `strata`: every value of every attribute, scored at the float stage and at the last one.

    A value with fewer than `MIN_GROUPS` lesions is kept, marked as few, and has no intervals; nor has the
    recall of a class with fewer lesions than that.

    Args:
        logits: stage to (N, C).
        images: the N test images.
        classes: C class names.
        bootstrap: of the intervals.

    Returns:
        None where nothing is known of the people in the images.
    """
    attributes = strata_of(images)
    if not attributes:
        return None
    last = next(stage for stage in ("akida", "snn", "torch", "float") if stage in logits)
    compared = {stage: logits[stage].argmax(1) for stage in ("float", last) if stage in logits}
    return {
        "stages": list(compared),
        "min_groups": MIN_GROUPS,
        "attributes": {
            name: [
                {"value": value, **_stratum(compared, images, rows, classes, bootstrap)}
                for value, rows in rows_by_value(name, values)
            ]
            for name, values in attributes.items()
        },
    }


def _stratum(
    preds: Mapping[str, Rows], images: ImageSet, rows: Rows, classes: Sequence[str], bootstrap: Bootstrap
) -> dict[str, Any]:
    lesion_ids = np.asarray(images.lesion_ids, dtype=str)[rows]
    target = images.target[rows]
    groups = len(np.unique(lesion_ids))
    return {
        "images": len(rows),
        "groups": groups,
        "few": groups < MIN_GROUPS,
        "stages": {
            stage: _scored(target, said[rows], lesion_ids, classes, bootstrap)
            for stage, said in preds.items()
        },
    }


def _scored(
    target: Rows, preds: Rows, lesion_ids: NDArray[np.str_], classes: Sequence[str], bootstrap: Bootstrap
) -> dict[str, Any]:
    result = scores(confusion_matrix(target, preds, len(classes)))
    enough = len(np.unique(lesion_ids)) >= MIN_GROUPS
    draws = resampled_scores(target, preds, lesion_ids.tolist(), len(classes), bootstrap) if enough else None
    return {
        **{name: float(getattr(result, name)) for name in _MEANS},
        "ci95": {name: list(interval95(getattr(draws, name))) for name in _MEANS} if draws else None,
        "per_class": {
            name: _recall(result, draws, label, len(np.unique(lesion_ids[target == label])))
            for label, name in enumerate(classes)
        },
    }


def _recall(result: Scores, draws: Scores | None, label: int, groups: int) -> dict[str, Any]:
    support = int(result.support[label])
    interval = None
    if draws is not None and groups >= MIN_GROUPS:
        # A draw without the class says nothing about its recall.
        interval = list(interval95(draws.recall[draws.support[:, label] > 0, label]))
    recall = float(result.recall[label]) if support else None
    return {"recall": recall, "support": support, "ci95": interval}
