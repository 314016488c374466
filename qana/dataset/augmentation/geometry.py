"""Pose: one warp that mirrors, turns, crops, zooms and shifts every image of a batch on its own."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from qana.dataset.augmentation.chance import happens, send, uniform
from qana.errors import QanaError

# The narrowest and widest crop, width / height relative to the image: Szegedy et al. 2015, section 6.
LARGEST_STRETCH = 4 / 3


@dataclass(frozen=True, kw_only=True)
class Pose:
    """What the warp may do; `Augmentation` describes and checks the arguments."""

    flip: bool
    quarter_turns: bool
    crop_min_area: float
    scale_jitter: float
    max_shift: int

    @property
    def active(self) -> bool:
        """Whether any image can change."""
        zooms = self.crop_min_area < 1 or self.scale_jitter > 0 or self.max_shift > 0
        return self.flip or self.quarter_turns or zooms

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return (N, 3, H, W) float32, every image seen through its own window."""
        count, _, height, width = images.shape
        return warp(images, self.windows(count, height, width, generator))

    def windows(self, count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
        """Draw one window per image, as `warp` takes them: (N, 2, 3) float32 on the CPU.

        Raises:
            QanaError: quarter turns asked for images that are not square.
        """
        windows = torch.eye(2, 3).repeat(count, 1, 1)
        if self.flip or self.quarter_turns:
            windows[:, :, :2] = self._turns(count, height, width, generator)
        if self.scale_jitter > 0:
            zoom = uniform((count, 1, 1), 1 - self.scale_jitter, 1 + self.scale_jitter, generator)
            windows[:, :, :2] /= zoom
        if self.crop_min_area < 1:
            middle, size = random_crops(count, self.crop_min_area, generator)
            windows[:, :, :2] *= size[:, :, None]
            windows[:, :, 2] = middle
        if self.max_shift > 0:
            shift = torch.randint(-self.max_shift, self.max_shift + 1, (count, 2), generator=generator)
            # The window counts from -1 to 1 across the image: one pixel is 2 / size.
            windows[:, :, 2] += shift * torch.tensor([2 / width, 2 / height])
        return windows

    def _turns(self, count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
        """Mirrors and quarter turns, (N, 2, 2) of 0, 1 and -1."""
        turns = torch.eye(2).repeat(count, 1, 1)
        if self.flip:
            turns *= 1 - 2 * happens(2 * count, 0.5, generator).reshape(count, 2, 1).float()
        if self.quarter_turns:
            _require_square(height, width)
            quarters = torch.tensor(
                [[[1, 0], [0, 1]], [[0, -1], [1, 0]], [[-1, 0], [0, -1]], [[0, 1], [-1, 0]]]
            )
            turns = quarters[torch.randint(4, (count,), generator=generator)].float() @ turns
        return turns


def random_crops(count: int, min_area: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw windows that lie inside the image: area from `min_area` to 1, sides stretched by up to 4/3.

    The random resized crop of Szegedy et al. 2015 (arXiv:1409.4842, section 6). Deviation: the stretch is
    drawn from the values that fit into the image at the area drawn, so that nothing is drawn twice.

    Args:
        count: N.
        min_area: smallest share of the image's area, above 0 to 1.
        generator: CPU.

    Returns:
        Middles of the windows, (N, 2), x before y, where the image reaches from -1 to 1; and their sizes,
        (N, 2), shares of the image's width and height.
    """
    area = uniform((count,), min_area, 1, generator)
    # width = sqrt(area * stretch) and height = sqrt(area / stretch) are both at most 1.
    most = torch.minimum(torch.tensor(math.log(LARGEST_STRETCH)), -area.log())
    stretch = (most * uniform((count,), -1, 1, generator)).exp()
    size = torch.stack([(area * stretch).sqrt(), (area / stretch).sqrt()], dim=1).clamp(max=1)
    return (1 - size) * uniform((count, 2), -1, 1, generator), size


def warp(images: Tensor, windows: Tensor) -> Tensor:
    """Look at each image through its own window; beyond the edge, the image is mirrored.

    Args:
        images: (N, 3, H, W) float32.
        windows: (N, 2, 3); maps (x, y, 1) of the result, -1 to 1, to where in the image it is read.

    Returns:
        (N, 3, H, W) float32, bilinear between pixels.
    """
    grid = functional.affine_grid(send(windows, images), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def _require_square(height: int, width: int) -> None:
    if height != width:
        raise QanaError(
            f"images of {height} x {width} pixels cannot be turned by a quarter",
            where="training.augmentation.quarter_turns = true",
            allowed="square images",
            fix="set training.augmentation.quarter_turns=false, or crop the images to squares",
        )
