"""The dermoscopic structure of each diagnosis. Colours are not chosen here: no class has its own.

The vocabulary is that of pattern analysis (Kittler et al. 2016, doi:10.1016/j.jaad.2015.12.038, the third
consensus conference on dermoscopy); sizes are exaggerated until they are several pixels wide at 64 x 64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from qana.dataset.synthetic_frame import Field, Frame, Points
from qana.dataset.synthetic_patterns import (
    blobs,
    border,
    network,
    ramp,
    ridges,
    scatter,
    vessel_tree,
    waves,
)


@dataclass(frozen=True)
class Layers:
    """What lies on the skin, from below to above; each (S, S), 0 to 1.

    Attributes:
        pigment: how much of the lesion's ground colour.
        dark: how much of its dark colour.
        light: how much of its light colour.
    """

    pigment: Field
    dark: Field
    light: Field


Structure = Callable[[Frame, np.random.Generator], Layers]


def actinic_keratosis(frame: Frame, rng: np.random.Generator) -> Layers:
    """Follicles as targets (a light ring around a dark plug) and angular white scale."""
    area = border(frame, rng, irregularity=0.08, softness=0.3)
    centres = scatter(rng, spacing=0.58, reach=0.9, disorder=0.45)
    disc = blobs(frame, centres, rng.uniform(0.18, 0.25, len(centres)), softness=0.12)
    plug = blobs(frame, centres, rng.uniform(0.07, 0.11, len(centres)), softness=0.09)
    scale = frame.fill([_flake(rng) for _ in range(rng.integers(1, 5))])
    light = np.maximum(0.8 * disc * (1 - plug), 0.7 * scale * (1 - plug))
    return Layers(0.65 * area, 0.9 * plug, light)


def basal_cell_carcinoma(frame: Frame, rng: np.random.Generator) -> Layers:
    """Branching vessels over a pale ground, and often a few large ovoid nests; no network."""
    area = border(frame, rng, irregularity=0.08, softness=0.15)
    first = rng.uniform(0, 2 * np.pi)
    strokes = [stroke for side in (0.0, 2.2) for stroke in vessel_tree(rng, start_bearing=first + side)]
    bearings = first + 4.2 + rng.uniform(-0.8, 0.8, rng.integers(0, 4))
    nests = rng.uniform(0.4, 0.8, (len(bearings), 1)) * np.stack([np.cos(bearings), np.sin(bearings)], axis=1)
    ovoid = blobs(frame, nests, rng.uniform(0.12, 0.24, len(nests)), softness=0.14)
    return Layers(0.5 * area, np.maximum(0.9 * frame.draw(strokes), 0.7 * ovoid), np.zeros_like(area))


def benign_keratosis(frame: Frame, rng: np.random.Generator) -> Layers:
    """A sharp edge, cerebriform ridges, and mostly milia-like cysts as small bright dots."""
    area = border(frame, rng, irregularity=0.08, softness=0.06)
    centres = scatter(rng, spacing=rng.uniform(0.5, 0.9), reach=0.9, disorder=0.9)
    cysts = blobs(frame, centres, rng.uniform(0.05, 0.1, len(centres)), softness=0.08) * area
    bands = ridges(frame, rng, period=rng.uniform(0.36, 0.46)) * area
    return Layers(0.65 * area, 0.7 * bands * (1 - cysts), 0.9 * cysts)


def dermatofibroma(frame: Frame, rng: np.random.Generator) -> Layers:
    """A scar-like white patch in the middle, with a delicate network around it."""
    area = border(frame, rng, irregularity=0.05, softness=0.35)
    reach = np.float32(rng.uniform(0.33, 0.46)) + np.float32(0.06) * waves(frame, rng, 0.8)
    scar = ramp(reach - frame.distance, 0.25)
    lines = network(frame, rng, period=rng.uniform(0.28, 0.34), wobble=0.05) * area * (1 - scar)
    return Layers(0.6 * area, 0.6 * lines, 0.9 * scar)


def melanoma(frame: Frame, rng: np.random.Generator) -> Layers:
    """Asymmetry: an irregular outline, dark blotches, streaks on one side and a veil off the centre."""
    area = border(frame, rng, irregularity=0.15, softness=0.12)
    side = rng.uniform(0, 2 * np.pi)
    veil_at = rng.uniform(0.3, 0.55) * np.array([np.cos(side), np.sin(side)], dtype=np.float32)
    reach = np.float32(rng.uniform(0.3, 0.45)) + np.float32(0.08) * waves(frame, rng, 0.7)
    veil = ramp(reach - np.hypot(frame.u - veil_at[0], frame.v - veil_at[1]), 0.35) * area
    blotch = ramp(waves(frame, rng, 0.5) - np.float32(0.3), 0.7) * area
    bearings = side + np.pi + np.linspace(-1, 1, 7) + rng.normal(0, 0.08, 7)
    streaks = frame.draw([_streak(rng, bearing) for bearing in bearings])
    # Remains of the network that it shares with a naevus, wider and broken.
    lines = network(frame, rng, period=0.42, wobble=0.12) * area * rng.uniform(0, 0.5)
    dark = np.maximum(np.maximum(0.85 * blotch, 0.8 * streaks), lines)
    return Layers(0.7 * area, dark * (1 - veil), 0.7 * veil)


def naevus(frame: Frame, rng: np.random.Generator) -> Layers:
    """Symmetric and even: a regular network that fades outwards or, in one of four, regular globules."""
    area = border(frame, rng, irregularity=0.05, softness=0.4)
    if rng.random() < 0.25:
        centres = scatter(rng, spacing=rng.uniform(0.32, 0.4), reach=0.85, disorder=0.4)
        globules = blobs(frame, centres, rng.uniform(0.09, 0.12, len(centres)), softness=0.1)
        return Layers(0.6 * area, 0.8 * globules, np.zeros_like(area))
    lines = network(frame, rng, period=rng.uniform(0.3, 0.38), wobble=0.06)
    return Layers(0.6 * area, 0.8 * lines * area, np.zeros_like(area))


def vascular_lesion(frame: Frame, rng: np.random.Generator) -> Layers:
    """Lacunae: large, round, well bounded lakes with pale septa between them."""
    area = border(frame, rng, irregularity=0.08, softness=0.15)
    centres = scatter(rng, spacing=rng.uniform(0.5, 0.62), reach=0.8, disorder=0.3)
    lakes = blobs(frame, centres, rng.uniform(0.18, 0.29, len(centres)), softness=0.12)
    return Layers(0.5 * area, 0.85 * lakes, 0.3 * area * (1 - lakes))


STRUCTURES: dict[str, Structure] = {
    "akiec": actinic_keratosis,
    "bcc": basal_cell_carcinoma,
    "bkl": benign_keratosis,
    "df": dermatofibroma,
    "mel": melanoma,
    "nv": naevus,
    "vasc": vascular_lesion,
}


def _flake(rng: np.random.Generator) -> Points:
    """A small polygon with uneven corners, (6, 2)."""
    bearing, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 0.9)
    corners = np.sort(rng.uniform(0, 2 * np.pi, 6))
    outline = rng.uniform(0.1, 0.26, (6, 1)) * np.stack([np.cos(corners), np.sin(corners)], axis=1)
    return outline + distance * np.array([np.cos(bearing), np.sin(bearing)])


def _streak(rng: np.random.Generator, bearing: float) -> tuple[Points, float]:
    outwards = np.array([np.cos(bearing), np.sin(bearing)])
    return np.outer([0.6, rng.uniform(0.95, 1.25)], outwards), rng.uniform(0.06, 0.1)
