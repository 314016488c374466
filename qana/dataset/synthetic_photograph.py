"""Takes a photograph of a lesion: skin, colours, hair, light and camera, all alike for every diagnosis."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from qana.dataset.synthetic_frame import Field, Frame, draw_strokes
from qana.dataset.synthetic_patterns import waves
from qana.dataset.synthetic_structures import STRUCTURES, Layers

Colour = NDArray[np.float32]  # (3,), RGB, 0 to 255

# Corners of the ranges that colours are mixed from, picked by eye from dermoscopic photographs.
SKIN = np.array([[236, 205, 186], [228, 180, 160], [196, 148, 118]])
GROUND = np.array([[172, 118, 88], [190, 112, 104], [150, 128, 122]])
DARK = np.array([[74, 44, 30], [122, 34, 44], [52, 54, 78]])
LIGHT = np.array([[244, 238, 228], [206, 216, 232], [244, 214, 204]])

# From faint to plain; drawn for each lesion, so that in every class some are hard.
STRUCTURE_OPACITY = (0.15, 0.8)
# Lesions share structures: this share of them also shows those of another diagnosis, this much weaker.
MIMIC_SHARE = 0.45
MIMIC_STRENGTH = 0.7


def photograph(
    diagnosis: str, size: int, *, lesion_seed: list[int], photo_seed: list[int]
) -> NDArray[np.uint8]:
    """Photograph one lesion.

    Args:
        diagnosis: a key of `STRUCTURES`.
        size: side, pixels.
        lesion_seed: fixes structure and colours, the same for every photograph of a lesion.
        photo_seed: fixes crop, turn, hair, light and noise of this photograph.

    Returns:
        (size, size, 3) uint8, RGB.
    """
    lesion, photo = np.random.default_rng(lesion_seed), np.random.default_rng(photo_seed)
    frame = Frame.look(photo, size)
    palette = [_mix(corners, lesion) for corners in (SKIN, GROUND, DARK, LIGHT)]
    image = _paint(_structure(diagnosis, frame, lesion), palette, frame, lesion)
    image = _lay(image, _hair(size, photo), _mix(DARK, photo) * np.float32(0.6), 0.8)
    return _expose(image, photo)


def _mix(corners: NDArray[np.int64], rng: np.random.Generator) -> Colour:
    return (rng.dirichlet(np.ones(len(corners))) @ corners).astype(np.float32)


def _lay(image: Field, cover: Field, colour: Colour, opacity: float) -> Field:
    """Lay a colour over (S, S, 3) where `cover` (S, S) is above 0."""
    alpha = np.float32(opacity) * cover[..., None]
    return image + alpha * (colour - image)


def _structure(diagnosis: str, frame: Frame, rng: np.random.Generator) -> Layers:
    layers = STRUCTURES[diagnosis](frame, rng)
    if rng.random() >= MIMIC_SHARE:
        return layers
    other = STRUCTURES[rng.choice([name for name in STRUCTURES if name != diagnosis])](frame, rng)
    strength = np.float32(rng.uniform(0, MIMIC_STRENGTH))
    return Layers(
        pigment=layers.pigment,
        dark=np.maximum(layers.dark, strength * other.dark),
        light=np.maximum(layers.light, strength * other.light),
    )


def _paint(layers: Layers, palette: list[Colour], frame: Frame, rng: np.random.Generator) -> Field:
    skin, ground, dark, light = palette
    mottle = np.float32(0.03) * waves(frame, rng, 1.2) + np.float32(0.04) * waves(frame, rng, 0.4)
    image = (1 + mottle)[..., None] * skin  # (S, S, 3)
    image = _lay(image, layers.pigment * (1 + 3 * mottle), ground, 1.0)
    image = _lay(image, layers.dark, dark, rng.uniform(*STRUCTURE_OPACITY))
    return _lay(image, layers.light, light, rng.uniform(*STRUCTURE_OPACITY))


def _hair(size: int, rng: np.random.Generator) -> Field:
    """A few thin arcs across the image, in a common direction, as hair grows."""
    strokes, common = [], rng.uniform(0, np.pi)
    along = size * np.linspace(-0.8, 0.8, 9)
    for _ in range(rng.choice(5, p=[0.5, 0.2, 0.1, 0.1, 0.1])):
        angle, offset, bend = common + rng.normal(0, 0.25), rng.uniform(-0.5, 0.5), rng.normal(0, 0.15)
        across = size * (offset + bend * (along / size) ** 2)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        strokes.append((np.stack([along, across], axis=1) @ turn + size / 2, size * rng.uniform(0.008, 0.02)))
    return draw_strokes(size, strokes)


def _expose(image: Field, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Uneven light, dark corners, exposure, white balance, contrast, focus and sensor noise."""
    size = len(image)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].astype(np.float32)
    slope, corners = rng.normal(0, 0.06, 2).astype(np.float32), np.float32(rng.uniform(0, 0.2))
    light = 1 + slope[0] * x + slope[1] * y - corners * (x * x + y * y)
    balance = rng.uniform(0.92, 1.08, 3).astype(np.float32)
    image = image * light[..., None] * balance * np.float32(rng.uniform(0.7, 1.1))
    image = 255 * np.clip(image / 255, 0, 1) ** np.float32(rng.uniform(0.75, 1.35))
    image = _defocus(image, size / 64 * rng.uniform(0.2, 0.8))
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    image = image + np.float32(rng.uniform(1, 5)) * noise
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _defocus(image: Field, radius: float) -> Field:
    picture = Image.fromarray(np.rint(image).astype(np.uint8))
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(radius)), dtype=np.float32)
