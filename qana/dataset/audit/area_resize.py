"""Area resizing as a matrix product, so that it can be joined with a transform and runs on whole stacks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def area_weights(size: int, new_size: int) -> NDArray[np.float32]:
    """Weights that resize `size` samples to `new_size` by the mean over the area that each new sample covers.

    Returns:
        (new_size, size) float32; every row sums to 1.

    Example:
        >>> area_weights(4, 2).tolist()
        [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """
    edges = np.linspace(0.0, size, new_size + 1)
    sample = np.arange(size)
    overlap = np.minimum(edges[1:, None], sample + 1) - np.maximum(edges[:-1, None], sample)
    return (np.maximum(overlap, 0.0) * new_size / size).astype(np.float32)


def area_resize(grey: NDArray[np.float32], new_size: int) -> NDArray[np.float32]:
    """Resize grey images, (N, H, W), to (N, new_size, new_size) by area means."""
    height, width = grey.shape[1:]
    return area_weights(height, new_size) @ grey @ area_weights(width, new_size).T
