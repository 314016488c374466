"""Brings whatever Pillow can open to upright 8-bit RGB."""

from __future__ import annotations

import struct

import numpy as np
from PIL import ExifTags, Image, ImageOps

TURNED = range(2, 9)  # EXIF orientations other than upright, which is 1
DEEP = ("I", "I;16", "I;16L", "I;16B", "I;16N")


def upright_rgb(image: Image.Image) -> Image.Image:
    """Return the image as RGB, turned as its EXIF orientation says.

    Transparency is dropped. 16-bit grey keeps its high byte, which is what Pillow does to 16-bit colour.

    Raises:
        OSError, ValueError, SyntaxError: the image cannot be decoded, or its levels mean no colours.
    """
    image.load()  # a TIFF turns itself now, and forgets its orientation
    if _orientation(image) in TURNED:
        image = ImageOps.exif_transpose(image)
    if image.mode in DEEP:
        image = _high_byte(image)
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # straight to RGB works too, with a warning
    if image.mode == "F":
        raise ValueError("floating-point levels, whose range is not known")
    return image if image.mode == "RGB" else image.convert("RGB")


def _orientation(image: Image.Image) -> int:
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    # EXIF that cannot be read says nothing about the orientation; the pixels are sound.
    except (SyntaxError, ValueError, KeyError, struct.error):
        return 1
    return orientation if isinstance(orientation, int) else 1


def _high_byte(image: Image.Image) -> Image.Image:
    levels = np.asarray(image)
    if levels.min() < 0 or levels.max() >= 1 << 16:
        raise ValueError("levels outside 0 to 65535")
    return Image.fromarray((levels >> 8).astype(np.uint8))
