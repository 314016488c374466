"""The deployed model after each session of one course, learned by the SDK where the method is the chip's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from qana.dataset.splits import Splits
from qana.errors import StageFailedError
from qana.incremental.akida_edge import AkidaEdge
from qana.incremental.edge_program import EdgeProgram
from qana.incremental.learner import Learner, State
from qana.incremental.study import Course, Update
from qana.incremental.versions import Versions

LEARNED = ("weights", "thresholds", "swaps")


def deploy_course(
    learner: Learner, course: Course, splits: Splits, *, program: Path, edge: EdgeProgram, folder: Path
) -> Versions:
    """Write a version of the model for every session that was accepted, and log those that were refused.

    A learner of the chip gets a program per version, learned by the SDK from the images themselves and
    compared with the twin; the others get their state as ``.npz``, to be held beside the program.

    Args:
        learner: whose course it was.
        course: what was learned.
        splits: the images.
        program: the classifier that the features came from; stays as it is.
        edge: runs the SDK.
        folder: of the versions.

    Raises:
        StageFailedError: the SDK learned something else than the twin.
    """
    on_chip = isinstance(learner, AkidaEdge)
    versions = Versions(folder, ".fbz" if on_chip else ".npz")
    before: State | None = None
    for place, update in enumerate(course.updates):
        shown = _shown(course, place, update, splits)
        if not update.accepted:
            versions.refuse(shown)
            continue
        if isinstance(learner, AkidaEdge):
            write = _by_the_sdk(learner, update, before, splits, program, versions.current, edge)
        else:
            write = _as_arrays(update.state)
        versions.add(write, shown)
        before = update.state
    return versions


def first_state(learner: AkidaEdge, after: State, *, num_features: int, seed: int) -> State:
    """The state in which all neurons of `after` began; needs no image.

    Args:
        learner: its settings; started anew.
        after: a state of it.
        num_features: K.
        seed: it was started with.
    """
    learner.start(num_features, seed=seed)
    none = np.zeros(0, np.int32)
    empty: State = {
        "classes": np.zeros(0, np.int64),
        "num_weights": after["num_weights"],
        "weights": np.zeros((0, num_features), np.uint8),
        "thresholds": none,
        "swaps": none,
    }
    learner.restore(empty)
    learner.add_classes([int(label) for label in after["classes"]])
    return learner.state()


def _by_the_sdk(
    learner: AkidaEdge,
    update: Update,
    before: State | None,
    splits: Splits,
    program: Path,
    current: Path | None,
    edge: EdgeProgram,
) -> Callable[[Path], None]:
    """A writer of the next program, which learns from the images and is compared with the twin."""
    after, rows = update.state, update.session.rows
    num_features = after["weights"].shape[1]
    first = first_state(learner, after, num_features=num_features, seed=learner.seed)
    known = 0 if before is None else len(before["classes"])
    slots = {int(label): place for place, label in enumerate(after["classes"])}

    def write(path: Path) -> None:
        parent = current
        if parent is None:
            parent = path.with_name(".created.fbz")
            edge.create(program, parent, learner, first)
        added = len(after["classes"]) - known if before is not None else 0
        found = edge.learn(
            parent,
            path,
            splits.train.images[rows],
            np.array([slots[label] for label in splits.train.target[rows].tolist()], np.int64),
            added=first["weights"][len(first["weights"]) - added * learner.neurons_per_class :],
            classes=added,
        )
        if current is None:
            parent.unlink()
        wrong = [name for name in LEARNED if not np.array_equal(found[name], after[name])]
        if wrong:
            raise StageFailedError(
                f"the SDK learned other {', '.join(wrong)} from session {update.session.name} than its twin"
            )

    return write


def _as_arrays(state: State) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        np.savez(path, **state)

    return write


def _shown(course: Course, place: int, update: Update, splits: Splits) -> dict[str, Any]:
    rows = update.session.rows.tolist()
    return {
        "session": place,
        "name": update.session.name,
        "seed": course.seed,
        "new_classes": [splits.classes[label] for label in update.session.new_classes],
        "val_macro_f1_before": update.val_before,
        "val_macro_f1_after": update.val_after,
        "images": [splits.train.image_ids[row] for row in rows],
        "labels": [splits.classes[label] for label in splits.train.target[rows].tolist()],
    }
