"""The strokes and textures that dermoscopic structures are made of, in lesion coordinates.

Each draws its random numbers in an order that does not depend on the frame, so that the same generator
state gives the same structure in every photograph of a lesion.
"""

from __future__ import annotations

import numpy as np

from qana.dataset.synthetic_frame import Field, Frame, Points, Stroke


def ramp(x: Field, width: float) -> Field:
    """0 below -width / 2, 1 above width / 2, straight in between."""
    return np.clip(x / np.float32(width) + np.float32(0.5), 0, 1)


def waves(frame: Frame, rng: np.random.Generator, frequency: float) -> Field:
    """Smooth random field of about zero mean and unit variance; `frequency` in waves per lesion radius."""
    directions = (rng.normal(size=(6, 2)) * 2 * np.pi * frequency).astype(np.float32)
    phases = rng.uniform(0, 2 * np.pi, 6).astype(np.float32)
    total = np.zeros_like(frame.u)
    for (along_u, along_v), phase in zip(directions, phases, strict=True):
        total += np.cos(along_u * frame.u + along_v * frame.v + phase)
    return total / np.float32(np.sqrt(3))


def border(frame: Frame, rng: np.random.Generator, *, irregularity: float, softness: float) -> Field:
    """The lesion's area, 1 inside and 0 outside; `irregularity` is the size of notches and bulges."""
    edge = np.ones_like(frame.u)
    for order, size in enumerate(rng.normal(size=5), start=2):
        height, phase = irregularity * size / np.sqrt(order), rng.uniform(0, 2 * np.pi)
        edge += np.float32(height) * np.cos(order * frame.bearing + np.float32(phase))
    return ramp(edge - frame.distance, softness)


def network(frame: Frame, rng: np.random.Generator, *, period: float, wobble: float) -> Field:
    """Honeycomb lines: the low ground between the peaks of three plane waves at 120 degrees."""
    shift, turn = rng.uniform(0, period, 2).astype(np.float32), rng.uniform(0, np.pi)
    # One shift for all three waves: with three free phases the holes would turn into triangles.
    u = frame.u + shift[0] + np.float32(wobble) * waves(frame, rng, 0.6)
    v = frame.v + shift[1] + np.float32(wobble) * waves(frame, rng, 0.6)
    total = np.zeros_like(u)
    for angle in turn + np.arange(3) * 2 * np.pi / 3:
        along_u, along_v = 2 * np.pi / period * np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)
        total += np.cos(along_u * u + along_v * v)
    return ramp(-total - np.float32(0.1), 1.4)


def ridges(frame: Frame, rng: np.random.Generator, *, period: float) -> Field:
    """Broad winding parallel bands, like the surface of a brain."""
    angle = rng.uniform(0, np.pi)
    along = np.float32(np.cos(angle)) * frame.u + np.float32(np.sin(angle)) * frame.v
    bend = np.float32(0.9) * waves(frame, rng, 0.55)
    return ramp(np.sin(np.float32(2 * np.pi / period) * along + bend), 0.7)


def scatter(rng: np.random.Generator, *, spacing: float, reach: float, disorder: float) -> Points:
    """Points of a jittered triangular lattice within `reach` of the centre, (K, 2)."""
    count = int(np.ceil(reach / spacing)) + 1
    rows, columns = np.mgrid[-count : count + 1, -count : count + 1].reshape(2, -1)
    lattice = np.stack([columns + 0.5 * (rows % 2), rows * np.sqrt(0.75)], axis=1) + rng.uniform(0, 1, 2)
    points = spacing * (lattice + disorder * rng.uniform(-0.5, 0.5, lattice.shape))
    return points[np.hypot(*points.T) < reach]


def blobs(frame: Frame, centres: Points, radii: Points, *, softness: float) -> Field:
    """Round spots; `radii` is one number per centre, (K,)."""
    total = np.zeros_like(frame.u)
    for (u, v), radius in zip(centres.astype(np.float32), radii.astype(np.float32), strict=True):
        np.maximum(total, ramp(radius - np.hypot(frame.u - u, frame.v - v), softness), out=total)
    return total


def vessel_tree(rng: np.random.Generator, *, start_bearing: float) -> list[Stroke]:
    """A thick vessel that enters from the side, winds towards the centre and branches into thinner ones."""
    start = rng.uniform(0.85, 1.1) * np.array([np.cos(start_bearing), np.sin(start_bearing)])
    trunk = _wander(rng, start, start_bearing + np.pi + rng.normal(0, 0.3), length=1.5)
    width = rng.uniform(0.09, 0.12)
    strokes = [(trunk, width)]
    for position, side in zip((0.2, 0.4, 0.6, 0.8), rng.permutation([-1, 1, -1, 1]), strict=True):
        at = int(position * len(trunk))
        heading = np.arctan2(*(trunk[at + 1] - trunk[at])[::-1]) + side * rng.uniform(0.5, 1.1)
        strokes.append((_wander(rng, trunk[at], heading, length=rng.uniform(0.35, 0.8)), 0.65 * width))
    return strokes


def _wander(rng: np.random.Generator, start: Points, heading: float, *, length: float) -> Points:
    headings = heading + np.cumsum(rng.normal(0, 0.28, 12))
    steps = length / 12 * np.stack([np.cos(headings), np.sin(headings)], axis=1)
    return np.vstack([start, start + np.cumsum(steps, axis=0)])
