"""Where a photograph sees its lesion: the bridge between pixels and the lesion's own coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Field = NDArray[np.float32]  # (S, S), one value per pixel
Points = NDArray[np.float64]  # (K, 2), lesion coordinates
Stroke = tuple[Points, float]  # a polyline and its width

SUPERSAMPLING = 3


@dataclass(frozen=True)
class Frame:
    """One view of one lesion. In lesion coordinates the lesion is centred at 0 and about 1 in radius.

    Attributes:
        size: side of the photograph, pixels.
        centre: (2,) x and y of the lesion, pixels.
        radius: lesion radius, pixels.
        angle: turn of the camera, radians.
        u: (S, S) first lesion coordinate of each pixel.
        v: (S, S) second lesion coordinate of each pixel.
        distance: (S, S) distance from the lesion's centre.
        bearing: (S, S) direction from the lesion's centre, radians.
    """

    size: int
    centre: Points
    radius: float
    angle: float
    u: Field
    v: Field
    distance: Field
    bearing: Field

    @staticmethod
    def look(rng: np.random.Generator, size: int) -> Frame:
        """Choose another crop, turn and distance."""
        centre = size * (0.5 + rng.uniform(-0.08, 0.08, 2))
        radius, angle = size * rng.uniform(0.3, 0.42), rng.uniform(0, 2 * np.pi)
        across = np.arange(size) + 0.5
        x, y = np.meshgrid((across - centre[0]) / radius, (across - centre[1]) / radius)
        x, y = x.astype(np.float32), y.astype(np.float32)
        cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        u, v = cos * x + sin * y, cos * y - sin * x
        return Frame(size, centre, radius, angle, u, v, np.hypot(u, v), np.arctan2(v, u))

    def draw(self, strokes: Sequence[Stroke]) -> Field:
        """Share of each pixel covered by the strokes, (S, S), 0 to 1; widths in lesion coordinates."""
        return draw_strokes(self.size, [(self._pixels(line), width * self.radius) for line, width in strokes])

    def fill(self, polygons: Sequence[Points]) -> Field:
        """Share of each pixel covered by the polygons, (S, S), 0 to 1."""
        canvas = Image.new("L", (SUPERSAMPLING * self.size,) * 2)
        pen = ImageDraw.Draw(canvas)
        for polygon in polygons:
            pen.polygon((SUPERSAMPLING * self._pixels(polygon)).ravel().tolist(), fill=255)
        return _coverage(canvas)

    def _pixels(self, points: Points) -> Points:
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return points @ np.array([[cos, sin], [-sin, cos]]) * self.radius + self.centre


def draw_strokes(size: int, strokes: Sequence[Stroke]) -> Field:
    """Share of each pixel covered by polylines in pixel coordinates, (S, S), 0 to 1."""
    canvas = Image.new("L", (SUPERSAMPLING * size,) * 2)
    pen = ImageDraw.Draw(canvas)
    for line, width in strokes:
        pixels = max(1, round(SUPERSAMPLING * width))
        pen.line((SUPERSAMPLING * line).ravel().tolist(), fill=255, width=pixels, joint="curve")
    return _coverage(canvas)


def _coverage(canvas: Image.Image) -> Field:
    return np.asarray(canvas.reduce(SUPERSAMPLING), dtype=np.float32) / 255
