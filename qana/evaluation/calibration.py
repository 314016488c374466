"""How far a network's confidence is from its accuracy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Guo et al. 2017 (arXiv:1706.04599) use 15 equal-width bins.
NUM_BINS = 15


def softmax(logits: NDArray[np.float32]) -> Array:
    """Class probabilities (N, C), computed in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def bin_rows(logits: NDArray[np.float32], target: NDArray[np.int64]) -> Array:
    """Spread each image over the confidence bins: (N, 3 * NUM_BINS) of count, confidence, correct.

    Bin m holds confidences in ((m - 1) / NUM_BINS, m / NUM_BINS]. Sums of these rows over any set of
    images are all that the calibration error and the reliability diagram need.
    """
    probs = softmax(logits)
    confidence, correct = probs.max(axis=1), logits.argmax(axis=1) == target
    bins = np.clip(np.ceil(confidence * NUM_BINS).astype(int) - 1, 0, NUM_BINS - 1)
    rows = np.zeros((len(target), 3, NUM_BINS))
    rows[np.arange(len(target)), :, bins] = np.stack([np.ones(len(target)), confidence, correct], axis=1)
    return rows.reshape(len(target), -1)


def calibration_error(bin_sums: Array) -> Array:
    """Expected calibration error of summed `bin_rows` (..., 3 * NUM_BINS).

    ECE = sum_m |B_m| / n * |acc(B_m) - conf(B_m)|, Guo et al. 2017, equation 3.
    """
    count, confidence, correct = np.moveaxis(bin_sums.reshape(*bin_sums.shape[:-1], 3, NUM_BINS), -2, 0)
    return np.abs(correct - confidence).sum(-1) / count.sum(-1)
