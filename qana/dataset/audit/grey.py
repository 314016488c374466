"""Colour to grey, weighted as Pillow does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_WEIGHTS = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601


def in_grey(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Luma of RGB pixels, (..., 3) to (...), in levels."""
    return pixels.astype(np.float32) @ _WEIGHTS
