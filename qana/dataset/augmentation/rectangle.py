"""Random rectangles inside a batch of images: the holes of cutout and the patches of cutmix."""

from __future__ import annotations

import torch
from torch import Tensor


def random_rectangles(sides: Tensor, height: int, width: int, generator: torch.Generator) -> Tensor:
    """Draw a rectangle around an equally likely pixel of each image, cut off at the image's edge.

    Args:
        sides: (N, 2) int64, height and width before anything is cut off, pixels.
        height: of the images, pixels.
        width: of the images, pixels.
        generator: CPU.

    Returns:
        (N, 4) int64 on the CPU: top, bottom, left, right; bottom and right are the first outside.
    """
    middle = torch.stack(
        [torch.randint(size, (len(sides),), generator=generator) for size in (height, width)], dim=1
    )
    first = middle - sides // 2
    ends = torch.stack([first, first + sides], dim=2)  # (N, 2, 2)
    return ends.clamp_(min=0).minimum(torch.tensor([[height], [width]])).reshape(-1, 4)


def area(rectangles: Tensor) -> Tensor:
    """Pixels inside each rectangle, (N,) int64."""
    top, bottom, left, right = rectangles.unbind(1)
    return (bottom - top) * (right - left)


def inside(rectangles: Tensor, height: int, width: int) -> Tensor:
    """(N, 1, height, width) bool, True for the pixels of each rectangle; on the device of `rectangles`."""
    top, bottom, left, right = rectangles[:, :, None, None].unbind(1)  # (N, 1, 1) each
    y = torch.arange(height, device=rectangles.device)[:, None]
    x = torch.arange(width, device=rectangles.device)
    return ((y >= top) & (y < bottom) & (x >= left) & (x < right))[:, None]
