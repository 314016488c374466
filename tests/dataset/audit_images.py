"""Images and sides for the tests of the leakage audit."""

import io

import numpy as np
from PIL import Image

from qana.dataset.audit import Side, perceptual_hash


def pictures(count, seed, side=64):
    """(count, side, side, 3) smooth coloured noise: every one is another picture, as photographs are."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 12, 12, 3), dtype=np.uint8)
    return np.stack([resized(picture, side) for picture in coarse])


def resized(picture, side):
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))


def encoded(picture, quality):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def side_of(images, prefix, groups=None):
    names = tuple(f"{prefix}{number:04}" for number in range(len(images)))
    return Side(names, groups, images, perceptual_hash(images))
