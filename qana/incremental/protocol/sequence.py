"""A sequence of sessions, and what every protocol that makes one can be asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from typing import Protocol as Interface

import numpy as np
from numpy.typing import NDArray

from qana.dataset.splits import ImageSet, Splits

Rows = NDArray[np.int64]
NO_SESSION = -1


@dataclass(frozen=True)
class Session:
    """Images that arrive together.

    Attributes:
        name: such as the class or the age band that it brings.
        rows: rows of the training side, in the order in which they are shown.
        new_classes: class indices that no session before it had, ascending.
    """

    name: str
    rows: Rows
    new_classes: tuple[int, ...]


@dataclass(frozen=True)
class Sequence:
    """Sessions in order, the base session first.

    Attributes:
        sessions: at least 2; no lesion is in two of them.
        test_session: (N_test,) the session that a test image belongs to; -1 for none.
    """

    sessions: tuple[Session, ...]
    test_session: Rows


class Protocol(Interface):
    """How images are dealt out; `name` is for the report."""

    name: str

    def base_rows(self, images: ImageSet, train: ImageSet) -> Rows:
        """Rows of `images` (of any side) that belong to the base session, ascending.

        Args:
            images: training or validation side.
            train: the training side, whose counts decide what the base session is.
        """
        ...

    def sequence(self, splits: Splits, *, seed: int) -> Sequence:
        """Deal the training side out; the seed decides the order of sessions, lesions and draws.

        Raises:
            QanaError: the images do not make two sessions.
        """
        ...

    def described(self) -> dict[str, Any]:
        """The settings, for the report."""
        ...


def balanced_order(size: int, *, seed: int) -> list[int]:
    """A random order of `size` things; over `size` seeds in a row, each thing is at each place once.

    Seeds that follow each other turn one drawn order (the rows of a Latin square), so a few are enough for
    every class to come early, and late.
    """
    drawn, turned = divmod(seed, size)
    order: list[int] = np.roll(np.random.default_rng(drawn).permutation(size), turned).tolist()
    return order


def shuffled_by_lesion(rows: Rows, train: ImageSet, rng: np.random.Generator) -> Rows:
    """`rows` with their lesions in random order; photographs of a lesion stay together, as they arrive."""
    lesions: dict[str, list[int]] = {}
    for row in rows.tolist():
        lesions.setdefault(train.lesion_ids[row], []).append(row)
    names = list(lesions)
    order = rng.permutation(len(names))
    return np.array([row for place in order for row in lesions[names[place]]], dtype=np.int64)


def with_new_classes(named: Iterable[tuple[str, Rows]], train: ImageSet) -> tuple[Session, ...]:
    """Sessions of these names and rows; each knows which classes it is the first to have."""
    known: set[int] = set()
    sessions = []
    for name, rows in named:
        new = sorted(set(train.target[rows].tolist()) - known)
        known |= set(new)
        sessions.append(Session(name, rows, tuple(new)))
    return tuple(sessions)
