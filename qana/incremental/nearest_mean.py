"""Nearest class mean: sums of features and a count per class, nothing else; a strong and simple reference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qana.incremental.learner import Features, Labels, Learner, State

COUNT_BYTES = 4


class NearestMean(Learner):
    """Names the class whose mean feature vector is nearest (Mensink et al. 2013, doi:10.1109/TPAMI.2013.83).

    With sums S_c over n_c images, |x - S_c / n_c|**2 is smallest where 2 x.S_c / n_c - |S_c|**2 / n_c**2 is
    largest; sums and counts are whole numbers, so the order of the images does not matter.
    """

    def __init__(self) -> None:
        super().__init__()
        self._start()

    def scores(self, features: Features) -> NDArray[np.float64]:
        counts = np.maximum(self._counts, 1)
        means = self._sums / counts[:, None]  # (C, K)
        found = 2 * features.astype(np.float64) @ means.T - np.square(means).sum(1)
        return np.where(self._counts > 0, found, -np.inf)

    def stored_bytes(self) -> int:
        """Sums and counts of 32 bits."""
        return COUNT_BYTES * (self._sums.size + self._counts.size)

    def _start(self) -> None:
        self._sums = np.zeros((0, self.num_features), np.int64)
        self._counts = np.zeros(0, np.int64)

    def _add_classes(self, count: int) -> None:
        self._sums = np.concatenate([self._sums, np.zeros((count, self.num_features), np.int64)])
        self._counts = np.concatenate([self._counts, np.zeros(count, np.int64)])

    def _learn(self, features: Features, slots: Labels) -> None:
        np.add.at(self._sums, slots, features.astype(np.int64))
        np.add.at(self._counts, slots, 1)

    def _arrays(self) -> State:
        return {"sums": self._sums, "counts": self._counts}

    def _take_arrays(self, arrays: State) -> None:
        self._sums, self._counts = arrays["sums"], arrays["counts"]
