"""Training the head anew on everything ever shown: what incremental learning is measured against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from qana.errors import QanaError
from qana.incremental.learner import Features, Labels, Learner, State

FLOAT_BYTES = 4


class Retraining(Learner):
    """A float softmax head, trained from nothing after every session on the features of all images so far.

    It keeps every image's features and needs a training at each update, so it is no method for a chip but the
    upper bound for a head on these features.

    Args:
        inverse_regularisation: C of scikit-learn's ``LogisticRegression``, on features of unit variance.
        iterations: most steps of its solver.
        balanced: whether every class weighs the same.
    """

    def __init__(self, *, inverse_regularisation: float, iterations: int, balanced: bool) -> None:
        super().__init__()
        if inverse_regularisation <= 0 or iterations < 1:
            raise QanaError(
                "the head cannot be trained",
                where=f"incremental.learner.inverse_regularisation = {inverse_regularisation},"
                f" incremental.learner.iterations = {iterations}",
                allowed="an inverse regularisation above 0, at least 1 iteration",
                fix="leave out these overrides",
            )
        self.inverse_regularisation, self.iterations, self.balanced = (
            inverse_regularisation,
            iterations,
            balanced,
        )
        self._start()

    def scores(self, features: Features) -> NDArray[np.float64]:
        standard = (features.astype(np.float64) - self._mean) / self._deviation
        return standard @ self._weights.T + self._bias

    def stored_bytes(self) -> int:
        """All features at the bits that the largest of them needs, a byte per label, 32-bit weights."""
        bits = max(int(self._features.max()).bit_length(), 1) if self._features.size else 1
        weights = self._weights.size + self._bias.size + self._mean.size + self._deviation.size
        return -(-self._features.size * bits // 8) + len(self._slots) + FLOAT_BYTES * weights

    def _start(self) -> None:
        self._features: Features = np.zeros((0, self.num_features), np.uint8)
        self._slots: Labels = np.zeros(0, np.int64)
        self._weights = np.zeros((0, self.num_features))
        self._bias = np.zeros(0)
        self._mean, self._deviation = np.zeros(self.num_features), np.ones(self.num_features)

    def _add_classes(self, count: int) -> None:
        self._weights = np.concatenate([self._weights, np.zeros((count, self.num_features))])
        # A class without images is never named: minus infinity survives any sum.
        self._bias = np.concatenate([self._bias, np.full(count, -np.inf)])

    def _learn(self, features: Features, slots: Labels) -> None:
        self._features = np.concatenate([self._features, features])
        self._slots = np.concatenate([self._slots, slots])
        scaler = StandardScaler().fit(self._features.astype(np.float64))
        self._mean, self._deviation = scaler.mean_, scaler.scale_
        present = np.unique(self._slots)
        self._weights[:], self._bias[:] = 0.0, -np.inf
        if len(present) == 1:
            self._bias[present] = 0.0
            return
        found = LogisticRegression(
            C=self.inverse_regularisation,
            max_iter=self.iterations,
            class_weight="balanced" if self.balanced else None,
        ).fit(scaler.transform(self._features.astype(np.float64)), self._slots)
        if len(present) == 2:  # scikit-learn keeps one row for both
            self._weights[present[1]], self._bias[present] = found.coef_[0], (0.0, found.intercept_[0])
        else:
            self._weights[present], self._bias[present] = found.coef_, found.intercept_

    def _arrays(self) -> State:
        return {
            "features": self._features,
            "slots": self._slots,
            "weights": self._weights,
            "bias": self._bias,
            "mean": self._mean,
            "deviation": self._deviation,
        }

    def _take_arrays(self, arrays: State) -> None:
        self._features, self._slots = arrays["features"], arrays["slots"]
        self._weights, self._bias = arrays["weights"], arrays["bias"]
        self._mean, self._deviation = arrays["mean"], arrays["deviation"]
