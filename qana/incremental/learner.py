"""What every method of incremental learning is: classes are added, images shown, images named, state kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.uint8]
Labels = NDArray[np.int64]
State = dict[str, NDArray[Any]]

CLASSES = "classes"


class Learner(ABC):
    """A last layer that goes on learning, on the integer features of a program.

    Classes are the indices of the data set, in the order in which they came; a learner names only classes
    that it was given. `start` comes first. Constructors take settings alone, so that one instance serves
    many sequences.

    Attributes:
        binary_features: whether features have to be 0 or 1.
        on_chip: whether an Akida v1 can do the learning itself.
    """

    binary_features = False
    on_chip = False

    def __init__(self) -> None:
        self.classes: list[int] = []
        self.num_features, self.seed = 0, 0

    def start(self, num_features: int, *, seed: int) -> None:
        """Forget everything.

        Args:
            num_features: K.
            seed: of everything that is drawn.
        """
        self.classes, self.num_features, self.seed = [], num_features, seed
        self._start()

    def add_classes(self, classes: Sequence[int]) -> None:
        """Make room for classes, given by their index in the data set, that were not known before."""
        repeated = sorted(set(classes) & set(self.classes))
        if repeated:
            raise ValueError(f"classes {repeated} are known already")
        self.classes += list(classes)
        self._add_classes(len(classes))

    def learn(self, features: Features, target: Labels) -> None:
        """Take in images, in this order.

        Args:
            features: (N, K) integers.
            target: (N,) class index in the data set; every one known.
        """
        self._learn(features, self._slots_of(target))

    def predict(self, features: Features) -> Labels:
        """(N,) class index in the data set of each image (N, K); ties go to the class that came first."""
        return np.asarray(self.classes, dtype=np.int64)[self.scores(features).argmax(1)]

    def state(self) -> State:
        """Copies of everything that was learned; `restore` takes it back, bit for bit."""
        arrays = {CLASSES: np.asarray(self.classes, dtype=np.int64), **self._arrays()}
        return {name: np.array(values) for name, values in arrays.items()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go back to a `state` of a learner with the same settings, features and seed."""
        self.classes = [int(label) for label in state[CLASSES]]
        self._take_arrays({name: np.array(values) for name, values in state.items() if name != CLASSES})

    @abstractmethod
    def scores(self, features: Features) -> NDArray[Any]:
        """(N, known classes), in the order in which they came; the largest is the answer."""

    @abstractmethod
    def stored_bytes(self) -> int:
        """What has to be kept between updates, at the bit-widths that it needs."""

    @abstractmethod
    def _start(self) -> None: ...

    @abstractmethod
    def _add_classes(self, count: int) -> None: ...

    @abstractmethod
    def _learn(self, features: Features, slots: Labels) -> None: ...

    @abstractmethod
    def _arrays(self) -> State: ...

    @abstractmethod
    def _take_arrays(self, arrays: State) -> None: ...

    def _slots_of(self, target: Labels) -> Labels:
        places = {label: place for place, label in enumerate(self.classes)}
        return np.array([places[label] for label in target.tolist()], dtype=np.int64)
