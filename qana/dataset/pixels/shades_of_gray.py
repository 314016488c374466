"""Takes the colour of the light out of a photograph, so that dermatoscopes agree."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

# p of the Minkowski mean; the value that Finlayson and Trezzi 2004 found best.
MINKOWSKI_NORM = 6
LEVELS = np.arange(256, dtype=np.float64)
POWERS = LEVELS**MINKOWSKI_NORM


def shades_of_gray(image: Image.Image) -> Image.Image:
    """Scale each channel so that the light, as the Minkowski mean of the image shows it, becomes grey.

    e_c = mean(level_c ** p) ** (1 / p),  level_c <- level_c * |e| / (sqrt(3) * e_c)

    Finlayson and Trezzi 2004 (Shades of Gray and Colour Constancy, CIC 12, p. 37-41), with p = 6, on the
    stored levels, as Barata et al. 2015 (doi:10.1109/JBHI.2014.2336473) apply it to dermoscopy. Levels are
    rounded to the nearest, too bright ones cut at 255. A channel that is black everywhere stays black.

    Args:
        image: RGB.
    """
    counts = np.array(image.histogram(), dtype=np.float64).reshape(3, 256)  # red, green, blue
    # Few levels, many pixels: one power per level. fsum rounds once, so that the order cannot matter.
    powers = [math.fsum(channel) for channel in (counts * POWERS).tolist()]
    light = [(power / (image.width * image.height)) ** (1 / MINKOWSKI_NORM) for power in powers]
    grey = math.hypot(*light) / math.sqrt(3)
    gain = np.array([grey / channel if channel else 1.0 for channel in light])
    table = np.minimum(np.rint(np.outer(gain, LEVELS)), 255).astype(np.uint8)  # (3, 256)
    return image.point(table.ravel().tolist())
