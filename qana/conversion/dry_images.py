"""Images that stand in for data where none may be read: enough variety to wake every layer."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

COARSE = 4  # patches along a side; pure noise would look alike to every convolution
SHARES = (0.4, 0.4, 0.2)  # of the image's own colour, of its patches and of its noise


def dry_images(count: int, image_shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Draw `count` images, each with a colour, coarse patches and noise of its own; always the same ones.

    Args:
        count: N.
        image_shape: (H, W, C).

    Returns:
        (N, H, W, C) uint8, spread over the whole range of a pixel.
    """
    generator = torch.Generator().manual_seed(0)
    height, width, channels = image_shape
    sizes = ((1, 1), (min(COARSE, height), min(COARSE, width)), (height, width))
    parts = [torch.rand(count, channels, *size, generator=generator) for size in sizes]
    spread = [F.interpolate(part, (height, width)) for part in parts]
    pixels = sum(share * part for share, part in zip(SHARES, spread, strict=True))
    assert isinstance(pixels, torch.Tensor)
    images: NDArray[np.uint8] = (255 * pixels).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return np.ascontiguousarray(images)
