"""A linear classifier that is held, applied and updated in whole numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qana.incremental.learner import Features, Labels

MASTER_BITS = 16


class IntegerHead:
    """Weights of few bits in front of 16-bit ones that collect the updates.

    An image is answered with the few bits. Where its class does not lead every other by the margin, its
    features are added to the 16-bit weights of its class and taken from those of its strongest rival (the
    multi-class perceptron with margin; Crammer and Singer 2003, doi:10.1162/jmlr.2003.3.4-5.951). So rounding
    takes part in the learning, and no float does.

    Args:
        num_features: K.
        weight_bits: of the weights that answer, sign included.
        margin: by which a class has to lead, in units of the scores.

    Attributes:
        master: (C, K + 1) int64, held within 16 bits; the last column is the bias.
    """

    def __init__(self, num_features: int, *, weight_bits: int, margin: int) -> None:
        self.weight_bits, self.margin = weight_bits, margin
        self.master: NDArray[np.int64] = np.zeros((0, num_features + 1), np.int64)

    @property
    def weights(self) -> NDArray[np.int64]:
        """(C, K + 1), the upper bits of the master weights, rounded half up."""
        shift = MASTER_BITS - self.weight_bits
        largest = 2 ** (self.weight_bits - 1) - 1
        return np.minimum((self.master + (1 << (shift - 1))) >> shift, largest)

    def add_classes(self, count: int) -> None:
        """Give new classes weights of zero."""
        self.master = np.concatenate([self.master, np.zeros((count, self.master.shape[1]), np.int64)])

    def scores(self, features: Features) -> NDArray[np.int64]:
        """(N, C) for features (N, K)."""
        return _with_bias(features) @ self.weights.T

    def learn(self, features: Features, slots: Labels, *, rate: int) -> None:
        """One pass over the images, in this order.

        Args:
            features: (N, K).
            slots: (N,) rows of the weights.
            rate: by which a feature is multiplied before it is added, whole.
        """
        if len(self.master) < 2:
            return  # nothing to tell apart
        lowest, largest = -(2 ** (MASTER_BITS - 1)), 2 ** (MASTER_BITS - 1) - 1
        for x, own in zip(_with_bias(features), slots.tolist(), strict=True):
            found = self.weights @ x
            lead = found[own]
            found[own] = np.iinfo(np.int64).min
            rival = int(found.argmax())
            if lead - found[rival] <= self.margin:
                self.master[own] = np.minimum(self.master[own] + rate * x, largest)
                self.master[rival] = np.maximum(self.master[rival] - rate * x, lowest)


def _with_bias(features: Features) -> NDArray[np.int64]:
    return np.concatenate([features.astype(np.int64), np.ones((len(features), 1), np.int64)], 1)
