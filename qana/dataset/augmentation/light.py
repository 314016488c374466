"""Light: brightness, colour and contrast of a batch, changed by one factor and one offset per channel."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from qana.dataset.augmentation.chance import happens, send, uniform

MAX_LEVEL = 255.0


@dataclass(frozen=True, kw_only=True)
class Light:
    """What may happen to the light; `Augmentation` describes and checks the arguments."""

    light_jitter: float
    colour_jitter: float
    contrast_jitter: float
    colour_constancy: float

    @property
    def active(self) -> bool:
        """Whether any image can change."""
        return max(self.light_jitter, self.colour_jitter, self.contrast_jitter, self.colour_constancy) > 0

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return (N, 3, H, W) float32, levels 0 to 255, every image under its own light."""
        gains = self._gains(images, generator)
        if self.contrast_jitter == 0:
            return (images * gains).clamp_(0, MAX_LEVEL)
        drawn = uniform((len(images), 1, 1, 1), 1 - self.contrast_jitter, 1 + self.contrast_jitter, generator)
        contrast = send(drawn, images)
        grey = (images.mean((2, 3), keepdim=True) * gains).mean(1, keepdim=True)  # (N, 1, 1, 1)
        return torch.addcmul((1 - contrast) * grey, images, contrast * gains).clamp_(0, MAX_LEVEL)

    def _gains(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Factor of each channel, (N, 3, 1, 1)."""
        count = len(images)
        light = uniform((count, 1, 1, 1), 1 - self.light_jitter, 1 + self.light_jitter, generator)
        colour = uniform((count, 3, 1, 1), 1 - self.colour_jitter, 1 + self.colour_jitter, generator)
        gains = send(light * colour, images)
        if self.colour_constancy == 0:
            return gains
        neutral = send(happens(count, self.colour_constancy, generator), images)
        return torch.where(neutral[:, None, None, None], gains * shades_of_gray_gains(images), gains)


def shades_of_gray_gains(images: Tensor) -> Tensor:
    """Factors that show each image under neutral light.

    gain_c = |e| / (sqrt(3) e_c),  e_c = mean(I_c**6)**(1/6) over the pixels of channel c

    Shades of Gray, Finlayson and Trezzi 2004 (CIC 12, 37-41), with the Minkowski norm p = 6 that they found
    best; `dataset.colour=shades_of_gray` does the same to every image, once and for all.

    Args:
        images: (N, 3, H, W) float32, levels 0 to 255.

    Returns:
        (N, 3, 1, 1) float32. A channel that is black everywhere stays black.
    """
    square = (images / MAX_LEVEL).square()
    light = (square * square * square).mean((2, 3), keepdim=True) ** (1 / 6)  # (N, 3, 1, 1)
    return light.square().mean(1, keepdim=True).sqrt() / torch.where(light > 0, light, 1.0)
