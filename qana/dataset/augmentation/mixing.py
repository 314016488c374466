"""Mixup and cutmix: every image mixed with another of its batch, and its target in the same proportion."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from qana.dataset.augmentation.chance import happens, send, symmetric_beta
from qana.dataset.augmentation.rectangle import area, inside, random_rectangles


@dataclass(frozen=True, kw_only=True)
class Mixing:
    """Mixes each image with the one that a random order of the batch puts beside it.

    mixup   x = share * x_own + (1 - share) * x_other,  share from Beta(alpha, alpha)
            (Zhang et al. 2018, arXiv:1710.09412)
    cutmix  a rectangle of area (1 - share) around a random pixel comes from the other image; cut off at the
            edge, and share is then what is left of the own image, pixel by pixel
            (Yun et al. 2019, arXiv:1905.04899)

    With both on, each image draws one of them, equally likely. Deviation: the authors' programs draw one
    share for a whole batch, this one for every image. `Augmentation` describes and checks the arguments.
    """

    mixup_alpha: float
    cutmix_alpha: float

    @property
    def active(self) -> bool:
        """Whether images and targets can change."""
        return self.mixup_alpha > 0 or self.cutmix_alpha > 0

    def __call__(
        self, images: Tensor, target: Tensor, generator: torch.Generator, *, num_classes: int
    ) -> tuple[Tensor, Tensor]:
        """Return mixed images (N, 3, H, W) and targets (N, num_classes) float32 with rows that sum to 1."""
        count, _, height, width = images.shape
        partner = send(torch.randperm(count, generator=generator), images)
        share, patches = self.draw(count, height, width, generator)
        target_share = send(share * (1 - area(patches) / (height * width)), images)
        patch = inside(send(patches, images), height, width)
        weight = torch.where(patch, 0.0, send(share, images)[:, None, None, None])  # (N, 1, H, W)
        classes = functional.one_hot(target, num_classes).to(torch.float32)  # (N, num_classes)
        return (
            torch.lerp(images[partner], images, weight),
            torch.lerp(classes[partner], classes, target_share[:, None]),
        )

    def draw(self, count: int, height: int, width: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw how each image is mixed, on the CPU.

        Returns:
            The weight of the own image, (N,) float32, 1 for an image that gets a patch; and the patches from
            the other image as `random_rectangles` gives them, (N, 4) int64, 0, 0, 0, 0 for none.
        """
        if self.cutmix_alpha == 0:
            return symmetric_beta(count, self.mixup_alpha, generator), torch.zeros(
                count, 4, dtype=torch.int64
            )
        kept = symmetric_beta(count, self.cutmix_alpha, generator)
        # Truncated to whole pixels, as the authors' program does.
        sides = (torch.tensor([height, width]) * (1 - kept).sqrt()[:, None]).to(torch.int64)
        patches = random_rectangles(sides, height, width, generator)
        if self.mixup_alpha == 0:
            return torch.ones(count), patches
        patched = happens(count, 0.5, generator)
        share = symmetric_beta(count, self.mixup_alpha, generator)
        return torch.where(patched, 1.0, share), patches * patched[:, None]
