"""Otsu's threshold of many images at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEVELS = 256


def otsu_threshold(grey: NDArray[np.uint8], counted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The level that best separates the dark from the bright pixels of each image.

    Maximises the variance between the two classes (Otsu 1979, *A Threshold Selection Method from Gray-Level
    Histograms*, IEEE TSMC 9(1)); the lowest such level where several do.

    Args:
        grey: (N, P) levels.
        counted: (N, P), False for pixels that are left out.

    Returns:
        (N,): dark is at or below this level, bright above it. 0 where all counted pixels are equal.
    """
    count = len(grey)
    cell = np.arange(count)[:, None] * LEVELS + grey
    histogram = np.bincount(cell[counted], minlength=count * LEVELS).reshape(count, LEVELS)
    # Whole numbers up to here, exact in float64.
    dark = histogram.cumsum(axis=1).astype(np.float64)
    dark_sum = (histogram * np.arange(LEVELS)).cumsum(axis=1).astype(np.float64)
    total, total_sum = dark[:, -1:], dark_sum[:, -1:]
    bright = total - dark
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (total_sum * dark - dark_sum * total) ** 2 / (dark * bright)
    return np.argmax(np.where(dark * bright > 0, between, 0.0), axis=1)
