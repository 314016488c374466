"""Score against energy: which networks no other beats at both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from qana.evaluation.page.markup import tag, text
from qana.evaluation.page.svg import axis_name, label, line, svg

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 1020.0, 420.0, 78.0, 40.0, 30.0, 56.0
LONGEST_LABEL = 34


@dataclass(frozen=True)
class Point:
    """One network.

    Attributes:
        name: shown beside its dot.
        energy_mj: per image, millijoules, > 0.
        macro_f1: 0 to 1.
        provenance: of the energy, ``measured`` or ``modelled``.
    """

    name: str
    energy_mj: float
    macro_f1: float
    provenance: str


def pareto_front(points: Sequence[Point]) -> list[Point]:
    """Points that no other beats: none is as cheap and scores as well, and is better in one of the two."""
    return [point for point in points if not any(_beats(other, point) for other in points)]


def _beats(other: Point, point: Point) -> bool:
    no_worse = other.energy_mj <= point.energy_mj and other.macro_f1 >= point.macro_f1
    return no_worse and (other.energy_mj < point.energy_mj or other.macro_f1 > point.macro_f1)


def pareto_plot(points: Sequence[Point]) -> str:
    """Inline SVG: energy to the right on a logarithmic axis, macro F1 upwards; empty without points."""
    if not points:
        return ""
    low_x, high_x = _bounds([math.log10(point.energy_mj) for point in points], 0.1)
    low_y, high_y = _bounds([point.macro_f1 for point in points], 0.02)

    def x(energy_mj: float) -> float:
        return LEFT + (math.log10(energy_mj) - low_x) / (high_x - low_x) * (WIDTH - LEFT - RIGHT)

    def y(macro_f1: float) -> float:
        return TOP + (high_y - macro_f1) / (high_y - low_y) * (HEIGHT - TOP - BOTTOM)

    front = sorted(pareto_front(points), key=lambda point: point.energy_mj)
    path = " ".join(f"{x(point.energy_mj):.1f},{y(point.macro_f1):.1f}" for point in front)
    parts = [*_axes(low_x, high_x, low_y, high_y), tag("polyline", points=path, class_="curve macro_f1")]
    for point in points:
        parts += _dot(point, x(point.energy_mj), y(point.macro_f1), on_front=point in front)
    return svg(WIDTH, HEIGHT, "".join(parts), "Macro F1 against energy per image")


def _bounds(values: Sequence[float], margin: float) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = max(margin, (high - low) * 0.1)
    return low - room, high + room


def _axes(low_x: float, high_x: float, low_y: float, high_y: float) -> list[str]:
    parts = []
    for step in range(5):
        share = step / 4
        x, y = LEFT + share * (WIDTH - LEFT - RIGHT), TOP + (1 - share) * (HEIGHT - TOP - BOTTOM)
        parts += [line(LEFT, y, WIDTH - RIGHT, y, "grid"), line(x, TOP, x, HEIGHT - BOTTOM, "grid")]
        parts.append(label(LEFT - 8, y + 4, f"{100 * (low_y + share * (high_y - low_y)):.1f} %", "end"))
        parts.append(label(x, HEIGHT - BOTTOM + 20, f"{10 ** (low_x + share * (high_x - low_x)):.3g}"))
    parts.append(label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, "energy per image, mJ (logarithmic)"))
    return [*parts, axis_name("macro F1", (HEIGHT + TOP - BOTTOM) / 2)]


def _dot(point: Point, x: float, y: float, *, on_front: bool) -> list[str]:
    told = f"{point.name}: {100 * point.macro_f1:.1f} %, {point.energy_mj:.3g} mJ {point.provenance}"
    kind = "dot macro_f1" if on_front else "dot accuracy see-through"
    name = point.name if len(point.name) <= LONGEST_LABEL else f"{point.name[: LONGEST_LABEL - 1]}…"
    right = x > WIDTH / 2
    return [
        tag("circle", tag("title", text(told)), cx=f"{x:.1f}", cy=f"{y:.1f}", r=6, class_=kind),
        label(x - 10 if right else x + 10, y - 8 if right else y + 18, name, "end" if right else "start"),
    ]
