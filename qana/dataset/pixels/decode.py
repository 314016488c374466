"""Turns the bytes of one image file into pixels, or says what is wrong with them."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from qana.dataset.pixels.preprocessing import Preprocessing

# The first is tried first; others that Pillow knows start interpreters or hold no photographs.
FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")

# What Pillow raises on damaged files: the first lines mostly, the others now and then, from its parsers.
DAMAGED = (
    OSError,
    ValueError,
    SyntaxError,
    Image.DecompressionBombError,
    EOFError,
    LookupError,
    ArithmeticError,
    struct.error,
    zlib.error,
)


class UndecodableError(Exception):
    """An image file cannot be read; the text says why, without naming the file."""


def decode(content: bytes, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Decode a whole image file to (S, S, 3) RGB.

    Raises:
        UndecodableError: empty, truncated, no image, or larger than any photograph.
    """
    if not content:
        raise UndecodableError("empty file")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            return preprocessing.apply(image)
    except UnidentifiedImageError as error:
        raise UndecodableError(f"no {', '.join(FORMATS[:-1])} or {FORMATS[-1]} image") from error
    except DAMAGED as error:
        raise UndecodableError(str(error) or type(error).__name__) from error
