"""The `incremental` block of the report: scores after every session, transfer, memory and time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qana.dataset.splits import ImageSet
from qana.evaluation.bootstrap import Bootstrap, Values, draw_lesions, lesion_index
from qana.evaluation.confusion import confusion_rows, scores
from qana.evaluation.transfer import (
    Outcome,
    accuracy_matrix,
    backward_transfer,
    forgetting,
    forward_transfer,
    mean_of_known,
    measured,
)
from qana.incremental.incremental import Learned
from qana.incremental.study import Course

SCORES = ("accuracy", "macro_f1")


def incremental_block(
    learned: Learned,
    test: ImageSet,
    classes: Sequence[str],
    bootstrap: Bootstrap,
    *,
    energy_mj: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Measure what a method said after each session, over the test images of the classes seen by then.

    Intervals draw whole lesions of the test side and average over the courses; `range` is over the courses.

    Args:
        learned: product of the incremental stage.
        test: the test side.
        classes: their names.
        bootstrap: how many draws, and their seed.
        energy_mj: of one inference on the chip, as in the report's `cost`; None where there is no such model.
    """
    weights = _weights(test, bootstrap)
    courses = learned.courses
    return {
        "method": learned.method,
        "on_chip": learned.on_chip,
        "protocol": learned.protocol,
        "max_drop": learned.max_drop,
        "features_saw": "the base session" if learned.base_only else "all training images",
        "num_features": learned.num_features,
        "seeds": [course.seed for course in courses],
        "orders": [[update.session.name for update in course.updates] for course in courses],
        "sessions": [
            _session(place, courses, test, len(classes), weights) for place in range(len(courses[0].updates))
        ],
        **_transfer(courses, test, weights),
        "per_class": _per_class(courses, test, classes, weights),
        "update": _update_cost(courses),
        "energy_mj": None if energy_mj is None else dict(energy_mj),
    }


def session_metrics(block: Mapping[str, Any]) -> list[dict[str, float]]:
    """One mapping of MLflow metrics per session; the place in the list is the step."""
    return [
        {
            "incremental/session/accuracy": session["accuracy"]["value"],
            "incremental/session/macro_f1": session["macro_f1"]["value"],
            "incremental/session/refused": float(session["refused"]),
            "incremental/session/stored_bytes": float(session["stored_bytes"]),
            "incremental/session/host_update_ms": session["host_update_ms"],
        }
        for session in block["sessions"]
    ]


def _weights(test: ImageSet, bootstrap: Bootstrap) -> Values:
    """(1 + S, N) how often each test image counts: once in the first row, then as its lesion is drawn."""
    index, lesions = lesion_index(test.lesion_ids)
    draws = draw_lesions(lesions, samples=bootstrap.samples, seed=bootstrap.seed)
    return np.concatenate([np.ones((1, len(test))), draws[:, index]])


def _session(
    place: int, courses: Sequence[Course], test: ImageSet, num_classes: int, weights: Values
) -> dict[str, Any]:
    updates = [course.updates[place] for course in courses]
    found = [_scores(course, place, test, num_classes, weights) for course in courses]
    return {
        **{name: measured([each[name] for each in found]) for name in SCORES},
        "images": _mean([len(update.session.rows) for update in updates]),
        "lesions": _mean([update.lesions for update in updates]),
        "classes_seen": _mean([len(_seen(course, place)) for course in courses]),
        "refused": sum(not update.accepted for update in updates),
        "stored_bytes": _mean([update.stored_bytes for update in updates]),
        "host_update_ms": _mean([1e3 * update.duration_s for update in updates]),
    }


def _scores(
    course: Course, place: int, test: ImageSet, num_classes: int, weights: Values
) -> dict[str, Values]:
    """Scores (1 + S,) over the test images of the classes seen by then."""
    rows = np.flatnonzero(np.isin(test.target, _seen(course, place)))
    cells = confusion_rows(test.target[rows], course.updates[place].preds[rows], num_classes)
    result = scores((weights[:, rows] @ cells).reshape(-1, num_classes, num_classes))
    return {"accuracy": result.accuracy, "macro_f1": result.macro_f1}


def _seen(course: Course, place: int) -> list[int]:
    """Classes shown up to a session, refused ones too: who was shown a class is asked for it."""
    return [label for update in course.updates[: place + 1] for label in update.session.new_classes]


def _transfer(courses: Sequence[Course], test: ImageSet, weights: Values) -> dict[str, Any]:
    matrices = [accuracy_matrix(_outcome(course, test), weights) for course in courses]
    forward = [forward_transfer(matrix) for matrix in matrices]
    known = [values for values in forward if values is not None]
    # A class cannot be named before it was shown, so there is nothing to transfer forward to it.
    arrives = any(update.session.new_classes for course in courses for update in course.updates[1:])
    return {
        "backward_transfer": measured([backward_transfer(matrix) for matrix in matrices]),
        "forgetting": measured([forgetting(matrix) for matrix in matrices]),
        "forward_transfer": measured(known) if known and not arrives else None,
        "matrix": mean_of_known(np.stack([matrix[0] for matrix in matrices], axis=-1)).tolist(),
    }


def _outcome(course: Course, test: ImageSet) -> Outcome:
    preds = np.stack([update.preds for update in course.updates])
    return Outcome(preds == test.target, course.sequence.test_session)


def _per_class(
    courses: Sequence[Course], test: ImageSet, classes: Sequence[str], weights: Values
) -> dict[str, Any]:
    """Recall of each class after the session that brought it, and after the last; rarest class first."""
    counts = np.bincount(test.target, minlength=len(classes))
    order = [label for label in np.argsort(counts, kind="stable").tolist() if counts[label]]
    return {classes[label]: _recalls(courses, test, label, weights) for label in order}


def _recalls(courses: Sequence[Course], test: ImageSet, label: int, weights: Values) -> dict[str, Any]:
    rows = np.flatnonzero(test.target == label)
    first, last = [], []
    for course in courses:
        brought = [place for place in range(len(course.updates)) if label in _seen(course, place)]
        if brought:
            first.append(_recall(course.updates[brought[0]].preds[rows], label, weights[:, rows]))
            last.append(_recall(course.updates[-1].preds[rows], label, weights[:, rows]))
    return {
        "support": len(rows),
        "recall_first": measured(first) if first else None,
        "recall_last": measured(last) if last else None,
    }


def _recall(preds: NDArray[np.int64], label: int, weights: Values) -> Values:
    """(1 + S,); a draw without an image of the class counts as 0, as in `qana.evaluation.confusion`."""
    sizes = weights.sum(1)
    return np.divide(weights @ (preds == label), sizes, out=np.zeros_like(sizes), where=sizes > 0)


def _update_cost(courses: Sequence[Course]) -> dict[str, Any]:
    """Time of an update for each image, on this host; the base session is no update."""
    updates = [update for course in courses for update in course.updates[1:]]
    images = sum(len(update.session.rows) for update in updates)
    return {
        "host_ms_per_image": 1e3 * sum(update.duration_s for update in updates) / images,
        "provenance": "measured",
        "source": "wall clock of the learning on this host, features given; not the chip's",
        "stored_bytes": _mean([course.updates[-1].stored_bytes for course in courses]),
    }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
