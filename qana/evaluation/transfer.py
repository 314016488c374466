"""What later sessions did to what earlier ones had taught: forgetting and transfer, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qana.evaluation.bootstrap import Values, interval95

NO_SESSION = -1


@dataclass(frozen=True)
class Outcome:
    """What was right after each session of one course.

    Attributes:
        correct: (T, N) whether test image n was named rightly after session t.
        session: (N,) the session that each test image belongs to; -1 for none.
    """

    correct: NDArray[np.bool_]
    session: NDArray[np.int64]


def accuracy_matrix(outcome: Outcome, weights: Values) -> Values:
    """R[t, j], the accuracy after session t on the test images of session j (Lopez-Paz and Ranzato 2017).

    Args:
        outcome: of one course.
        weights: (S, N) how often each test image counts, in each of S draws.

    Returns:
        (S, T, T); NaN where session j has no test image in a draw.
    """
    sessions = len(outcome.correct)
    member = outcome.session[:, None] == np.arange(sessions)  # (N, T)
    sizes = weights @ member  # (S, T)
    hits = np.stack([weights @ (member * row[:, None]) for row in outcome.correct], axis=1)  # (S, T, T)
    whole = np.broadcast_to(sizes[:, None, :], hits.shape)
    return np.divide(hits, whole, out=np.full_like(hits, np.nan), where=whole > 0)


def backward_transfer(matrix: Values) -> Values:
    """(S,), mean over all sessions but the last of R[last, j] - R[j, j]; negative where it was forgotten."""
    own = np.diagonal(matrix, axis1=1, axis2=2)
    return mean_of_known(matrix[:, -1, :-1] - own[:, :-1])


def forgetting(matrix: Values) -> Values:
    """(S,), mean over all sessions but the last of the best accuracy ever reached minus the last one.

    Chaudhry et al. 2018 (arXiv:1801.10112, eq. 3), the best over the sessions from j up to the last but one.
    """
    last = matrix.shape[1] - 1
    lost = [matrix[:, j:last, j].max(1) - matrix[:, last, j] for j in range(last)]
    return mean_of_known(np.stack(lost, axis=1))


def forward_transfer(matrix: Values) -> Values | None:
    """(S,), mean over the third session on of R[j - 1, j] - R[0, j]: what the sessions between have brought.

    Deviation from Lopez-Paz and Ranzato 2017, who compare with an untrained model: the base session is what a
    deployed model starts from. None with fewer than three sessions.
    """
    count = matrix.shape[1]
    if count < 3:
        return None
    gains = [matrix[:, j - 1, j] - matrix[:, 0, j] for j in range(2, count)]
    return mean_of_known(np.stack(gains, axis=1))


def mean_of_known(values: Values) -> Values:
    """Mean over the last axis of what is not NaN; NaN where nothing is known."""
    known = ~np.isnan(values)
    total, number = np.where(known, values, 0.0).sum(-1), known.sum(-1)
    return np.divide(total, number, out=np.full_like(total, np.nan), where=number > 0)


def measured(per_course: list[Values]) -> dict[str, Any]:
    """Mean over the courses, its 95 % interval, and the range of the courses.

    Args:
        per_course: (1 + S,) of each course: the value on the test side itself, then on S draws of it.
    """
    values = np.stack(per_course)  # (courses, 1 + S)
    return {
        "value": float(values[:, 0].mean()),
        "ci95": list(interval95(values[:, 1:].mean(0))),
        "range": [float(values[:, 0].min()), float(values[:, 0].max())],
    }
