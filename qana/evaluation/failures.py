"""The wrong answers that a network was surest of, by image id: no image leaves the data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qana.dataset.splits import ImageSet
from qana.evaluation.calibration import softmax

LIMIT = 20


def surest_failures(
    logits: NDArray[np.float32], images: ImageSet, classes: Sequence[str], temperature: float
) -> list[dict[str, Any]]:
    """At most `LIMIT` wrong answers, the surest first; of equal ones the image that comes first.

    Args:
        logits: (N, C).
        images: the N images.
        classes: C names.
        temperature: that confidence is scaled with, as fitted on validation images.

    Returns:
        ``image_id``, ``lesion_id``, ``true``, ``predicted`` and ``confidence`` of each.
    """
    confidence, said = softmax(logits / np.float32(temperature)).max(1), logits.argmax(1)
    wrong = np.flatnonzero(said != images.target)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:LIMIT]
    return [
        {
            "image_id": images.image_ids[row],
            "lesion_id": images.lesion_ids[row],
            "true": classes[images.target[row]],
            "predicted": classes[said[row]],
            "confidence": float(confidence[row]),
        }
        for row in worst.tolist()
    ]
