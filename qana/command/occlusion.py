"""Where a program looks: how far its confidence falls when a part of the image is covered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

GRID = 8  # parts along each side
OVERLAY = 0.6  # opacity of the strongest part
SHOWN_SIZE = 256  # least pixels a side of the picture that is written


def covered(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image once for each part, with that part in the mean colour of the whole: (GRID * GRID, S, S, 3).

    Occlusion sensitivity, Zeiler and Fergus 2014 (arXiv:1311.2901, section 4.2). It asks the very program on
    the chip, whatever its layers are.
    """
    size = len(image)
    edges = np.linspace(0, size, GRID + 1).round().astype(int)
    copies = np.repeat(image[None], GRID * GRID, axis=0)
    colour = image.reshape(-1, 3).mean(axis=0).round().astype(np.uint8)
    for row in range(GRID):
        for column in range(GRID):
            part = (slice(edges[row], edges[row + 1]), slice(edges[column], edges[column + 1]))
            copies[row * GRID + column][part] = colour
    return copies


def occlusion_map(whole: float, parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability of the whole image minus that without each part: (GRID, GRID); positive where it helps."""
    return whole - parts.reshape(GRID, GRID)


def write_map(path: Path, image: NDArray[np.uint8], falls: NDArray[np.float64]) -> None:
    """Write the image with the parts that its class rests on in red, the strongest most opaque."""
    scale = max(1, -(-SHOWN_SIZE // len(image)))
    side = len(image) * scale
    picture = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
    helping = np.clip(falls, 0, None)
    strength = helping / helping.max() if helping.max() > 0 else helping
    levels = Image.fromarray((255 * OVERLAY * strength).astype(np.uint8))
    opacity = levels.resize((side, side), Image.Resampling.BICUBIC)
    picture.paste(Image.new("RGB", picture.size, (220, 30, 30)), mask=opacity)
    picture.save(path)
