"""Sensitivity and specificity of one class against the rest, also at a threshold that validation set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qana.evaluation.bootstrap import (
    MIN_GROUPS,
    Bootstrap,
    draw_lesions,
    interval95,
    lesion_index,
    sum_by_lesion,
)
from qana.evaluation.calibration import softmax

Flags = NDArray[np.bool_]

# Sensitivities that screening is asked for; a threshold is set for each of them.
WANTED = (0.8, 0.9, 0.95)


def threshold_for(wanted: float, probs: NDArray[np.float64], positive: Flags) -> float | None:
    """The highest threshold at which at least `wanted` of the positive images are found.

    Args:
        wanted: sensitivity, above 0 to 1.
        probs: (N,) probability of the class; an image is called positive from the threshold on.
        positive: (N,) whether an image is of the class.

    Returns:
        None where no image is of the class.
    """
    found = np.sort(probs[positive])[::-1]
    if not len(found):
        return None
    # Rounded, because 0.9 * 10 must ask for 9 images and not, by its last bit, for 10.
    return float(found[int(np.ceil(round(wanted * len(found), 9))) - 1])


def operating_points(
    validation: tuple[NDArray[np.float32], NDArray[np.int64]],
    test: tuple[NDArray[np.float32], NDArray[np.int64]],
    lesion_ids: Sequence[str],
    classes: Sequence[str],
    bootstrap: Bootstrap,
) -> dict[str, Any]:
    """How each class is found: by the largest logit, and at thresholds on its probability.

    Thresholds are set on validation images to reach the sensitivities `WANTED` there, and judged on test
    images, where the sensitivity that is reached is another number: both are told.

    Args:
        validation: (M, C) logits and (M,) true classes.
        test: (N, C) and (N,), of the same network.
        lesion_ids: of the test images.
        classes: C names.
        bootstrap: of the intervals, lesions drawn with replacement.

    Returns:
        Per class ``support``, ``validation_support`` and ``points``: ``wanted_sensitivity`` (None for the
        largest logit), ``threshold``, ``sensitivity``, ``specificity`` and ``ci95`` of both. What no image
        speaks for is None; so is the interval of a rate that fewer than `MIN_GROUPS` lesions speak for.
    """
    probs_val, probs = softmax(validation[0]), softmax(test[0])
    argmax, target = test[0].argmax(1), test[1]
    lesions = _Lesions(lesion_ids, bootstrap)
    found: dict[str, Any] = {}
    for label, name in enumerate(classes):
        mine = target == label
        points = [_point(None, None, argmax == label, mine, lesions)]
        for wanted in WANTED:
            threshold = threshold_for(wanted, probs_val[:, label], validation[1] == label)
            if threshold is not None:
                called = probs[:, label] >= threshold
                points.append(_point(wanted, threshold, called, mine, lesions))
        found[name] = {
            "support": int(mine.sum()),
            "validation_support": int((validation[1] == label).sum()),
            "points": points,
        }
    return found


class _Lesions:
    """Draws of whole lesions, made once for all rates."""

    def __init__(self, lesion_ids: Sequence[str], bootstrap: Bootstrap) -> None:
        self._index, self._count = lesion_index(lesion_ids)
        self._draws = draw_lesions(self._count, samples=bootstrap.samples, seed=bootstrap.seed)

    def interval(self, right: Flags, of: Flags) -> list[float] | None:
        """Of the share of `of` that is right; both (N,)."""
        if len(np.unique(self._index[of])) < MIN_GROUPS:
            return None
        rows = np.stack([of & right, of], axis=1).astype(np.float64)
        hits, total = (self._draws @ sum_by_lesion(rows, self._index, self._count)).T
        drawn = total > 0
        return list(interval95(hits[drawn] / total[drawn]))


def _point(
    wanted: float | None, threshold: float | None, called: Flags, mine: Flags, lesions: _Lesions
) -> dict[str, Any]:
    rates = {"sensitivity": (called, mine), "specificity": (~called, ~mine)}
    return {
        "wanted_sensitivity": wanted,
        "threshold": threshold,
        **{name: float(right[of].mean()) if of.any() else None for name, (right, of) in rates.items()},
        "ci95": {name: lesions.interval(right, of) for name, (right, of) in rates.items()},
    }
