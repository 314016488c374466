"""One method through sequences of sessions: what it said after each, what it kept, how long it took."""

from __future__ import annotations

import time
from collections.abc import Sequence as Listed
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from qana.dataset.splits import Splits
from qana.incremental.learner import Features, Labels, Learner, State
from qana.incremental.protocol.sequence import Protocol, Sequence, Session


@dataclass(frozen=True)
class SideFeatures:
    """Integer features (N, K) of every image of the three sides."""

    train: Features
    val: Features
    test: Features


@dataclass(frozen=True)
class Update:
    """One session, learned or refused.

    Attributes:
        session: what was shown.
        lesions: how many lesions that were.
        accepted: False where it was rolled back.
        val_before: macro F1 on the validation images of the classes known before, before; None at first.
        val_after: the same after it, before any rolling back.
        duration_s: of the learning, on this host.
        stored_bytes: what the method keeps afterwards.
        preds: (N_test,) class index named afterwards for each test image.
        state: of the learner afterwards.
    """

    session: Session
    lesions: int
    accepted: bool
    val_before: float | None
    val_after: float | None
    duration_s: float
    stored_bytes: int
    preds: Labels
    state: State


@dataclass(frozen=True)
class Course:
    """One sequence from beginning to end.

    Attributes:
        seed: of the sequence and of what the learner draws.
        sequence: the sessions.
        updates: one per session.
    """

    seed: int
    sequence: Sequence
    updates: tuple[Update, ...]


def run_course(
    learner: Learner,
    protocol: Protocol,
    splits: Splits,
    features: SideFeatures,
    *,
    seed: int,
    max_drop: float | None,
) -> Course:
    """Show one sequence to a learner that starts from nothing.

    Args:
        learner: started anew.
        protocol: makes the sequence.
        splits: labels and lesions of the images.
        features: of the same images.
        seed: of the sequence and the learner.
        max_drop: largest fall of the validation macro F1 over the classes known before that is accepted;
            None accepts anything.
    """
    sequence = protocol.sequence(splits, seed=seed)
    learner.start(features.train.shape[1], seed=seed)
    updates = [_update(learner, session, splits, features, max_drop) for session in sequence.sessions]
    return Course(seed, sequence, tuple(updates))


def _update(
    learner: Learner, session: Session, splits: Splits, features: SideFeatures, max_drop: float | None
) -> Update:
    known, before = list(learner.classes), learner.state()
    val_before = _macro_f1(learner, splits, features, known)
    shown, target = features.train[session.rows], splits.train.target[session.rows]
    started_s = time.perf_counter()
    # Not `session.new_classes`: a session before may have been refused, and its classes with it.
    learner.add_classes(sorted(set(target.tolist()) - set(known)))
    learner.learn(shown, target)
    duration_s = time.perf_counter() - started_s
    val_after = _macro_f1(learner, splits, features, known)
    accepted = not (
        max_drop is not None
        and val_before is not None
        and val_after is not None
        and val_before - val_after > max_drop
    )
    if not accepted:
        learner.restore(before)
    return Update(
        session=session,
        lesions=len({splits.train.lesion_ids[row] for row in session.rows.tolist()}),
        accepted=accepted,
        val_before=val_before,
        val_after=val_after,
        duration_s=duration_s,
        stored_bytes=learner.stored_bytes(),
        preds=learner.predict(features.test),
        state=learner.state(),
    )


def _macro_f1(learner: Learner, splits: Splits, features: SideFeatures, classes: Listed[int]) -> float | None:
    """On the validation images of these classes; None where there are none."""
    rows: NDArray[np.int64] = np.flatnonzero(np.isin(splits.val.target, list(classes)))
    if not len(rows):
        return None
    target, preds = splits.val.target[rows], learner.predict(features.val[rows])
    return float(f1_score(target, preds, labels=np.unique(target), average="macro", zero_division=0.0))
