"""Small image files for tests, and the pixels that they have to become."""

import numpy as np
from PIL import Image, ImageOps

EXIF_ORIENTATION = 0x0112
MINKOWSKI_NORM = 6


def noise(seed, size=(40, 30)):
    """Smooth noise that JPEG keeps the look of, as (H, W, 3) uint8; `size` is (width, height)."""
    width, height = size
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def save_photograph(path, seed, *, size=(40, 30), mode="RGB", orientation=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = _in_mode(noise(seed, size), mode)
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    image.save(path, **({} if path.suffix == ".bmp" else {"exif": exif}))
    return path


def save_photographs(folder, count, **chosen):
    return [save_photograph(folder / f"{number:03}.jpg", number, **chosen) for number in range(count)]


def decoded_directly(path, *, image_size, crop, colour="rgb"):
    """What Pillow makes of a file, one step after another, without the code under test."""
    with Image.open(path) as opened:
        opened.draft("RGB", (image_size, image_size))
        image = ImageOps.exif_transpose(opened)
    if image.mode == "I;16":
        image = Image.fromarray((np.asarray(image) // 256).astype(np.uint8))
    image = image.convert("RGBA").convert("RGB") if image.mode == "P" else image.convert("RGB")
    width, height = image.size
    x, y = ((width - min(image.size)) / 2, (height - min(image.size)) / 2) if crop == "centre" else (0, 0)
    box = (x, y, width - x, height - y)
    small = np.asarray(image.resize((image_size, image_size), Image.Resampling.BILINEAR, box=box))
    return under_grey_light(small) if colour == "shades_of_gray" else small


def under_grey_light(image):
    """Shades of grey, pixel by pixel, as the formula of the paper reads."""
    levels = image.astype(np.longdouble)
    light = np.mean(levels**MINKOWSKI_NORM, axis=(0, 1)) ** (np.longdouble(1) / MINKOWSKI_NORM)
    unit = light / np.sqrt((light**2).sum())
    return np.clip(np.rint(levels / (unit * np.sqrt(np.longdouble(3)))), 0, 255).astype(np.uint8)


def _in_mode(pixels, mode):
    if mode == "I;16":
        grey = np.asarray(Image.fromarray(pixels).convert("L"), dtype=np.uint16)
        return Image.fromarray(grey * 256 + 255 - grey)
    image = Image.fromarray(pixels)
    if mode == "P":
        return image.quantize(32)
    return image.convert(mode)
