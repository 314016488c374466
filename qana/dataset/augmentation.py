"""Changes a training batch in the ways that leave a diagnosis alone: pose, zoom, light and colour."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from qana.errors import QanaError

MAX_LEVEL = 255.0


class Augmentation:
    """Random pose and light, one draw per image, on whole batches.

    The output is rounded to whole levels because the chip only ever sees uint8 pixels.

    Args:
        flip: mirror left-right and, independently, top-bottom, each with probability one half.
        quarter_turns: turn by 0, 90, 180 or 270 degrees, equally likely; needs square images.
        max_shift: largest shift along each axis, pixels, whole numbers; the edge is mirrored.
        scale_jitter: zoom factor from 1 - j to 1 + j, 0 <= j < 1.
        light_jitter: factor from 1 - j to 1 + j for all channels together, 0 <= j < 1.
        colour_jitter: factor from 1 - j to 1 + j for each channel on its own, 0 <= j < 1.

    Raises:
        QanaError: a negative shift, or a jitter outside 0 to 1.
    """

    def __init__(
        self,
        *,
        flip: bool,
        quarter_turns: bool,
        max_shift: int,
        scale_jitter: float,
        light_jitter: float,
        colour_jitter: float,
    ) -> None:
        _require_range("max_shift", max_shift, max_shift >= 0, "a whole number of pixels, 0 or more")
        jitters = {"scale_jitter": scale_jitter, "light_jitter": light_jitter, "colour_jitter": colour_jitter}
        for name, jitter in jitters.items():
            _require_range(name, jitter, 0 <= jitter < 1, "0 (off) up to, not including, 1")
        self.flip, self.quarter_turns, self.max_shift = flip, quarter_turns, max_shift
        self.scale_jitter, self.light_jitter, self.colour_jitter = scale_jitter, light_jitter, colour_jitter

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return changed copies of a batch.

        Args:
            images: (N, 3, H, W), uint8 or float, levels 0 to 255.
            generator: a CPU generator, the only source of chance.

        Returns:
            (N, 3, H, W) float32; whole levels, 0 to 255.

        Raises:
            QanaError: quarter turns asked for images that are not square.
        """
        images = images.to(torch.float32)
        if self.flip:
            images = _flip(images, generator)
        if self.quarter_turns:
            images = _turn(images, generator)
        if self.max_shift or self.scale_jitter:
            images = self._move(images, generator)
        if self.light_jitter or self.colour_jitter:
            images = images * self._gains(len(images), generator).to(images.device)
        return images.round().clamp(0, MAX_LEVEL)

    def _move(self, images: Tensor, generator: torch.Generator) -> Tensor:
        count, _, height, width = images.shape
        shift = torch.randint(-self.max_shift, self.max_shift + 1, (count, 2), generator=generator)
        theta = torch.zeros(count, 2, 3)
        # grid_sample counts from -1 to 1 across the image: one pixel is 2 / size.
        theta[:, 0, 2] = shift[:, 0] * (2 / width)
        theta[:, 1, 2] = shift[:, 1] * (2 / height)
        zoom = _uniform((count,), self.scale_jitter, generator)
        theta[:, 0, 0] = theta[:, 1, 1] = 1 / zoom
        grid = functional.affine_grid(theta.to(images.device), list(images.shape), align_corners=False)
        return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)

    def _gains(self, count: int, generator: torch.Generator) -> Tensor:
        light = _uniform((count, 1, 1, 1), self.light_jitter, generator)
        return light * _uniform((count, 3, 1, 1), self.colour_jitter, generator)  # (N, 3, 1, 1)


def _uniform(shape: tuple[int, ...], jitter: float, generator: torch.Generator) -> Tensor:
    return 1 + jitter * (2 * torch.rand(shape, generator=generator) - 1)


def _flip(images: Tensor, generator: torch.Generator) -> Tensor:
    for axis in (2, 3):
        chosen = torch.rand(len(images), generator=generator) < 0.5
        images = torch.where(chosen.to(images.device)[:, None, None, None], images.flip(axis), images)
    return images


def _turn(images: Tensor, generator: torch.Generator) -> Tensor:
    if images.shape[2] != images.shape[3]:
        raise QanaError(
            f"images of {images.shape[2]} x {images.shape[3]} pixels cannot be turned by a quarter",
            where="training.augmentation.quarter_turns = true",
            allowed="square images",
            fix="set training.augmentation.quarter_turns=false, or crop the images to squares",
        )
    turns = torch.randint(0, 4, (len(images),), generator=generator).to(images.device)
    turned = torch.empty_like(images)
    for quarter in range(4):
        chosen = turns == quarter
        turned[chosen] = torch.rot90(images[chosen], quarter, dims=(2, 3))
    return turned


def _require_range(name: str, value: float, ok: bool, allowed: str) -> None:
    if not ok:
        raise QanaError(
            f"augmentation cannot use {name} = {value}",
            where=f"training.augmentation.{name} = {value}",
            allowed=allowed,
            fix=f"choose training.augmentation.{name} in that range",
        )
