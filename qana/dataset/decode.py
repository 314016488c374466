"""Turns JPEG files into square uint8 images of one size, on several threads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from qana.console import progress
from qana.errors import QanaError, listed

Crop = Literal["centre", "none"]

FILES_PER_TASK = 32  # few enough for a lively bar, many enough that handing out tasks costs nothing


def require_crop(crop: str) -> None:
    """Refuse a crop that does not exist.

    Raises:
        QanaError: `crop` is neither ``centre`` nor ``none``.
    """
    if crop not in get_args(Crop):
        raise QanaError(
            f"no crop is called {crop!r}",
            where=f"dataset.crop = {crop}",
            allowed=", ".join(get_args(Crop)),
            fix="dataset.crop=centre keeps the middle square, dataset.crop=none squeezes the whole image",
        )


def decode_images(paths: Sequence[Path], *, image_size: int, crop: Crop, root: Path) -> NDArray[np.uint8]:
    """Decode every file to (N, image_size, image_size, 3) uint8, RGB.

    Args:
        paths: N image files.
        image_size: side of the result, pixels.
        crop: ``centre`` for the middle square of the short side, ``none`` for the whole image squeezed.
        root: named in the message.

    Raises:
        QanaError: files that cannot be read as images, all of them.
    """
    images = np.empty((len(paths), image_size, image_size, 3), dtype=np.uint8)

    def decode_some(first: int) -> list[str]:
        rows = range(first, min(first + FILES_PER_TASK, len(paths)))
        return [problem for row in rows if (problem := _decode_into(images[row], paths[row], crop))]

    # Pillow gives up the interpreter lock while it decodes and resizes.
    starts = range(0, len(paths), FILES_PER_TASK)
    problems: list[str] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool, progress("decode images", total=len(paths)) as advance:
        for first, found in zip(starts, pool.map(decode_some, starts), strict=True):
            problems += found
            advance(min(FILES_PER_TASK, len(paths) - first))
    if problems:
        raise _unreadable(problems, root)
    return images


def _decode_into(out: NDArray[np.uint8], path: Path, crop: Crop) -> str | None:
    """Fill `out` (S, S, 3); return what is wrong with the file, or None."""
    size = len(out)
    try:
        with Image.open(path) as image:
            # Lets the JPEG decoder skip detail that the resize would discard; never below the size asked.
            image.draft("RGB", (size, size))
            box = _middle_square(image.size) if crop == "centre" else None
            out[:] = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR, box=box)
    # Pillow reports damaged files with each of these.
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return f"{path.name} ({error})"
    return None


def _middle_square(size: tuple[int, int]) -> tuple[float, float, float, float]:
    width, height = size
    side = min(size)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def _unreadable(problems: Sequence[str], root: Path) -> QanaError:
    return QanaError(
        f"{len(problems)} image files cannot be read: {listed(problems)}",
        where=f"dataset.root = {root}",
        allowed="complete JPEG files",
        fix="fetch these files again",
    )
