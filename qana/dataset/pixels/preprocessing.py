"""What happens to a photograph before the network sees it: crop, resize, colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from qana.dataset.pixels.shades_of_gray import shades_of_gray
from qana.dataset.pixels.upright_rgb import upright_rgb
from qana.errors import QanaError

Crop = Literal["centre", "none"]
Colour = Literal["rgb", "shades_of_gray"]

SMALLEST_SIZE = 8  # the perceptual hash looks at 8 x 8 frequencies


@dataclass(frozen=True)
class Preprocessing:
    """Makes square uint8 images of one size.

    Args:
        image_size: side of the result, pixels, 8 or more.
        crop: ``centre`` for the middle square of the short side, ``none`` for the whole image squeezed.
        colour: ``rgb`` as photographed, or ``shades_of_gray`` with the colour of the light taken out.

    Raises:
        QanaError: an argument out of its range.
    """

    image_size: int
    crop: Crop
    colour: Colour

    def __post_init__(self) -> None:
        require_image_size(self.image_size, smallest=SMALLEST_SIZE)
        _require_crop(self.crop)
        _require_colour(self.colour)

    def apply(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return the image as (S, S, 3) RGB, upright as its EXIF says.

        Raises:
            OSError, ValueError, SyntaxError: Pillow cannot decode the image, or not as colours.
        """
        # Lets the JPEG decoder skip detail that the resize would discard; never below the size asked.
        image.draft("RGB", (self.image_size, self.image_size))
        image = upright_rgb(image)
        box = _middle_square(image.size) if self.crop == "centre" else None
        small = image.resize((self.image_size, self.image_size), Image.Resampling.BILINEAR, box=box)
        return np.asarray(shades_of_gray(small) if self.colour == "shades_of_gray" else small)  # (S, S, 3)


def require_image_size(image_size: int, *, smallest: int) -> None:
    """Refuse images of fewer than `smallest` pixels a side.

    Raises:
        QanaError: `image_size` is below `smallest`.
    """
    if image_size < smallest:
        raise QanaError(
            f"images of {image_size} x {image_size} pixels are too small",
            where=f"dataset.image_size = {image_size}",
            allowed=f"{smallest} or more",
            fix="for example dataset.image_size=64",
        )


def _require_crop(crop: str) -> None:
    if crop not in get_args(Crop):
        raise QanaError(
            f"no crop is called {crop!r}",
            where=f"dataset.crop = {crop}",
            allowed=", ".join(get_args(Crop)),
            fix="dataset.crop=centre keeps the middle square, dataset.crop=none squeezes the whole image",
        )


def _require_colour(colour: str) -> None:
    if colour not in get_args(Colour):
        raise QanaError(
            f"no colour handling is called {colour!r}",
            where=f"dataset.colour = {colour}",
            allowed=", ".join(get_args(Colour)),
            fix="dataset.colour=rgb keeps the colours, dataset.colour=shades_of_gray takes out the light's",
        )


def _middle_square(size: tuple[int, int]) -> tuple[float, float, float, float]:
    width, height = size
    side = min(size)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side
