"""One answer from eight orientations of an image: logits averaged over quarter turns and mirrors.

A photograph of a lesion has no up and no left, so each orientation is as good a question as the next, and
errors that depend on it cancel (test-time augmentation; Krizhevsky et al. 2012, section 4.1, for crops).
Every further orientation is a further run of the chip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qana.dataset.splits import ImageSet
from qana.errors import QanaError
from qana.evaluation.bootstrap import Bootstrap
from qana.evaluation.metrics import paired_difference_ci, require_finite, stage_metrics

Images = NDArray[np.uint8]
Answers = Callable[[Images], NDArray[np.float32]]
VIEWS = (1, 8)
COSTS = ("latency_ms", "energy_mj")


def require_views(views: int, where: str) -> None:
    """Refuse a number of orientations that is not offered.

    Args:
        views: how many.
        where: the setting, as the user wrote it.

    Raises:
        QanaError: names what is.
    """
    if views not in VIEWS:
        raise QanaError(
            f"{views} orientations of an image cannot be asked",
            where=where,
            allowed="1 (the image as it is) or 8 (four quarter turns of the image and of its mirror image)",
            fix="choose 1 or 8",
        )


def orientations(images: Images) -> Iterator[Images]:
    """The eight orientations of square images (N, S, S, 3), as they are first."""
    for turns in range(4):
        turned = np.rot90(images, turns, axes=(1, 2))
        yield np.ascontiguousarray(turned)
        yield np.ascontiguousarray(turned[:, :, ::-1])


def averaged(answers: Answers, images: Images) -> NDArray[np.float32]:
    """(N, S, S, 3) to (N, C): the mean of the logits of the eight orientations."""
    return np.mean([answers(turned) for turned in orientations(images)], axis=0, dtype=np.float64).astype(
        np.float32
    )


def views_block(
    answers: Answers,
    stage: str,
    logits: NDArray[np.float32],
    test: ImageSet,
    classes: tuple[str, ...],
    bootstrap: Bootstrap,
    cost: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """What eight orientations score, and what they gain over one.

    Args:
        answers: (N, S, S, 3) uint8 to (N, C) logits.
        stage: of the ladder that `answers` speaks for.
        logits: (N, C) of that stage on `test`, each image as it is.
        test: the test images.
        classes: C names.
        bootstrap: of the intervals, lesions drawn with replacement.
        cost: block of the report; its latency and energy are of one orientation, here of all. None leaves
            them out.

    Returns:
        The block of the report. `macro_f1_gain` is a paired difference, positive where eight are better.

    Raises:
        QanaError: logits that are not finite.
    """
    said = averaged(answers, np.asarray(test.images))
    require_finite(said, f"{stage}, eight orientations")
    common = {"bootstrap_samples": bootstrap.samples, "seed": bootstrap.seed}
    gain = paired_difference_ci(said, logits, test.target, test.lesion_ids, **common)
    scored = stage_metrics(said, test.target, test.lesion_ids, classes, **common)
    return {
        "stage": stage,
        "count": max(VIEWS),
        "averaged": scored.as_dict(),
        "macro_f1_gain": gain.as_dict(),
        **{name: _times(cost[name], max(VIEWS)) for name in COSTS if cost is not None},
    }


def _times(known: Mapping[str, Any], count: int) -> dict[str, Any]:
    """A cost of the report, `count` times over: modelled, whatever the cost of one is."""
    scaled = {name: count * known[name] for name in ("value", "low", "high") if known.get(name) is not None}
    source = f"{count} times that of one orientation, which is {known['provenance']}. {known['source']}"
    return {**known, **scaled, "provenance": "modelled", "source": source}
