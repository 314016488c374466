"""Training images on which a network is quantized after its training."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from qana.dataset.splits import Splits


def calibration_images(splits: Splits, count: int, *, seed: int) -> NDArray[np.uint8]:
    """Draw images from the training side, the same ones that `qana.training` calibrates on.

    Args:
        splits: validation and test images are not touched.
        count: most images.
        seed: of the draw.

    Returns:
        (N, H, W, 3) uint8, in the order of the split.
    """
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randperm(len(splits.train), generator=generator)[:count]
    return np.asarray(splits.train.images[rows.sort().values.numpy()])
