"""Cutout: a hole in some of the images, so that no single structure decides."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from qana.dataset.augmentation.chance import happens, send
from qana.dataset.augmentation.rectangle import inside, random_rectangles


@dataclass(frozen=True, kw_only=True)
class Cutout:
    """Fills a square around a random pixel (DeVries and Taylor 2017, arXiv:1708.04552).

    As in the paper the square may reach over the edge of the image. Deviations: the paper fills with the mean
    of the data set, this with the mean colour of the image; the square is a share of each side, which makes a
    rectangle in images that are not square. `Augmentation` describes and checks the arguments.
    """

    probability: float
    size: float

    @property
    def active(self) -> bool:
        """Whether any image can change."""
        return self.probability > 0 and self.size > 0

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return (N, 3, H, W) float32."""
        count, _, height, width = images.shape
        sides = torch.tensor([round(self.size * height), round(self.size * width)]).expand(count, 2)
        holes = random_rectangles(sides, height, width, generator)
        holes *= happens(count, self.probability, generator)[:, None]  # 0, 0, 0, 0 has no pixels
        mean = images.mean((2, 3), keepdim=True)
        return torch.where(inside(send(holes, images), height, width), mean, images)
