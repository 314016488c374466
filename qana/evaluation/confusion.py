"""Scores that follow from confusion matrices alone, for one matrix or a whole stack at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def confusion_matrix(target: NDArray[np.int64], preds: NDArray[np.int64], num_classes: int) -> Array:
    """Count images by true class (row) and predicted class (column): (C, C)."""
    flat = np.bincount(target * num_classes + preds, minlength=num_classes**2)
    return flat.reshape(num_classes, num_classes).astype(np.float64)


def confusion_rows(target: NDArray[np.int64], preds: NDArray[np.int64], num_classes: int) -> Array:
    """Mark for each image its cell of the confusion matrix: (N, C * C); summed, they are the matrix."""
    rows = np.zeros((len(target), num_classes**2))
    rows[np.arange(len(target)), target * num_classes + preds] = 1
    return rows


def _ratio(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


@dataclass(frozen=True)
class Scores:
    """Scores of confusion matrices (..., C, C).

    A class without true images has recall, precision and F1 of 0 and is left out of both means: macro
    F1 and balanced accuracy are means over the classes present in the target.

    Attributes:
        precision: (..., C); 0 where a class is never predicted.
        recall: (..., C).
        f1: (..., C).
        support: (..., C), true images of each class.
        accuracy: (...).
        macro_f1: (...).
        balanced_accuracy: (...), the mean recall.
    """

    precision: Array
    recall: Array
    f1: Array
    support: Array
    accuracy: Array
    macro_f1: Array
    balanced_accuracy: Array


def scores(confusion: Array) -> Scores:
    """Score one confusion matrix (C, C) or a stack of them (..., C, C)."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1).copy()
    support, predicted = confusion.sum(-1), confusion.sum(-2)
    recall, precision = _ratio(hits, support), _ratio(hits, predicted)
    f1 = _ratio(2 * hits, support + predicted)
    present = (support > 0).sum(-1)
    return Scores(
        precision=precision,
        recall=recall,
        f1=f1,
        support=support,
        accuracy=hits.sum(-1) / support.sum(-1),
        macro_f1=f1.sum(-1) / present,
        balanced_accuracy=recall.sum(-1) / present,
    )
