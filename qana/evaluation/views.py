"""An image in eight orientations: one answer from all of them, and whether they would have differed.

A photograph of a lesion has no up and no left, so each orientation is as good a question as the next, and
errors that depend on it cancel in the mean of the logits (test-time augmentation; Krizhevsky et al. 2012,
section 4.1, for crops). Every further orientation is a further run of the chip. A class that depends on the
orientation is an error in one of them, whatever the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qana.dataset.splits import ImageSet
from qana.errors import QanaError
from qana.evaluation.bootstrap import Bootstrap, draw_lesions, interval95, lesion_index, sum_by_lesion
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


def asked(answers: Answers, images: Images) -> NDArray[np.float32]:
    """(N, S, S, 3) to (8, N, C): the logits of the eight orientations, of the images as they are first."""
    return np.stack([answers(turned) for turned in orientations(images)])


def averaged(said: NDArray[np.float32]) -> NDArray[np.float32]:
    """(8, N, C) to (N, C): the mean of the logits of the eight orientations."""
    return said.mean(axis=0, dtype=np.float64).astype(np.float32)


def orientation_block(
    said: NDArray[np.float32], test: ImageSet, classes: Sequence[str], bootstrap: Bootstrap
) -> dict[str, Any]:
    """How many images are given another class in another orientation.

    Args:
        said: (8, N, C) logits of the eight orientations.
        test: the N test images.
        classes: C names.
        bootstrap: of the interval, lesions drawn with replacement.

    Returns:
        `changed_share` of the images, with its interval; of each true class how many images there are and
        how many change; and the largest difference between a logit and the same one of the image as it is.
    """
    named = said.argmax(2)
    changed = (named != named[0]).any(axis=0)
    index, lesions = lesion_index(test.lesion_ids)
    rows = np.stack([changed, np.ones(len(changed))], axis=1)
    drawn = draw_lesions(lesions, samples=bootstrap.samples, seed=bootstrap.seed) @ sum_by_lesion(
        rows, index, lesions
    )
    return {
        "changed_share": {
            "value": float(changed.mean()),
            "ci95": list(interval95(drawn[:, 0] / drawn[:, 1])),
        },
        "largest_logit_difference": float(np.abs(said - said[0]).max()),
        "per_class": {
            name: {
                "support": int((test.target == label).sum()),
                "changed": int(changed[test.target == label].sum()),
            }
            for label, name in enumerate(classes)
        },
    }


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
        The block of the report. `macro_f1_gain` is a paired difference, positive where eight are better;
        `orientation` is what `orientation_block` says.

    Raises:
        QanaError: logits that are not finite.
    """
    said = asked(answers, np.asarray(test.images))
    together = averaged(said)
    require_finite(together, f"{stage}, eight orientations")
    common = {"bootstrap_samples": bootstrap.samples, "seed": bootstrap.seed}
    gain = paired_difference_ci(together, logits, test.target, test.lesion_ids, **common)
    scored = stage_metrics(together, test.target, test.lesion_ids, classes, **common)
    return {
        "stage": stage,
        "count": max(VIEWS),
        "averaged": scored.as_dict(),
        "macro_f1_gain": gain.as_dict(),
        "orientation": orientation_block(said, test, classes, bootstrap),
        **{name: _times(cost[name], max(VIEWS)) for name in COSTS if cost is not None},
    }


def _times(known: Mapping[str, Any], count: int) -> dict[str, Any]:
    """A cost of the report, `count` times over: modelled, whatever the cost of one is."""
    scaled = {name: count * known[name] for name in ("value", "low", "high") if known.get(name) is not None}
    source = f"{count} times that of one orientation, which is {known['provenance']}. {known['source']}"
    return {**known, **scaled, "provenance": "modelled", "source": source}
