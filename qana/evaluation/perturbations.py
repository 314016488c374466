"""What happens to photographs on their way to a network: light, focus, compression, noise."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Images = NDArray[np.uint8]


def brightness(images: Images, factor: float) -> Images:
    """Times `factor`, cut at 255: (N, H, W, 3) uint8 in and out."""
    return _rounded(images.astype(np.float32) * np.float32(factor))


def blur(images: Images, sigma_px: float) -> Images:
    """Blurred by a Gaussian of `sigma_px` pixels (Pillow's, by repeated box filters)."""
    kernel = ImageFilter.GaussianBlur(sigma_px)
    return _each(images, lambda image: image.filter(kernel))


def jpeg(images: Images, quality: int) -> Images:
    """Written and read again as JPEG of Pillow's `quality`, 1 to 95."""

    def compressed(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        return Image.open(file)

    return _each(images, compressed)


def noise(images: Images, sigma: float, seed: int = 0) -> Images:
    """With normal noise of standard deviation `sigma` (of 255) on every channel of every pixel."""
    drawn = np.random.default_rng(seed).standard_normal(images.shape, dtype=np.float32)
    return _rounded(images.astype(np.float32) + np.float32(sigma) * drawn)


def _each(images: Images, change: Callable[[Image.Image], Image.Image]) -> Images:
    return np.stack([np.asarray(change(Image.fromarray(image)).convert("RGB")) for image in images])


def _rounded(values: NDArray[np.float32]) -> Images:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
