"""Accuracy against energy of several runs, and which of them no other one beats in both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from qana.evaluation.page.markup import percent, significant, tag, text
from qana.evaluation.page.svg import axis_name, label, line, svg

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 1020.0, 460.0, 78.0, 30.0, 40.0, 62.0
LETTER = 7.6
SHARE_STEPS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)


@dataclass(frozen=True)
class Point:
    """One run.

    Attributes:
        name: shown beside its point.
        energy_mj: per image.
        energy_low_mj: lower end of its interval.
        energy_high_mj: upper end.
        score: share from 0 to 1, such as macro F1.
        score_low: lower end of its interval.
        score_high: upper end.
        provenance: of the energy: ``measured`` or ``modelled``.
    """

    name: str
    energy_mj: float
    energy_low_mj: float
    energy_high_mj: float
    score: float
    score_low: float
    score_high: float
    provenance: str


def pareto_front(points: Sequence[Point]) -> list[Point]:
    """The points that no other one beats: at most their energy, at least their score, and better in one.

    Returns:
        By rising energy; of equal points all.
    """
    front = [point for point in points if not any(_beats(other, point) for other in points)]
    return sorted(front, key=lambda point: (point.energy_mj, point.score))


def pareto_chart(points: Sequence[Point], score_name: str = "macro F1") -> str:
    """Draw the points with their intervals, the front as a line, energy on a logarithmic axis.

    Args:
        points: at least one, with energies above 0.
        score_name: what `Point.score` is.

    Returns:
        An SVG that takes its colours from the page's style sheet.

    Raises:
        ValueError: there is no point, or an energy that is not above 0.
    """
    if not points or min(point.energy_low_mj for point in points) <= 0:
        raise ValueError("a Pareto chart needs at least one point, and energies above 0")
    axes, front = _Axes(points), pareto_front(points)
    parts = [axes.grid(score_name)]
    path = " ".join(f"{axes.x(point.energy_mj):.1f},{axes.y(point.score):.1f}" for point in front)
    parts.append(tag("polyline", points=path, class_="curve macro_f1"))
    # The best last, so that they lie on top.
    parts += [_mark(point, axes, best=False) for point in points if point not in front]
    parts += [_mark(point, axes, best=True) for point in front]
    parts.append(_names(points, axes, front))
    return svg(WIDTH, HEIGHT, "".join(parts), f"{score_name} against energy per image of {len(points)} runs")


def _beats(other: Point, point: Point) -> bool:
    no_worse = other.energy_mj <= point.energy_mj and other.score >= point.score
    return no_worse and (other.energy_mj < point.energy_mj or other.score > point.score)


class _Axes:
    """Energy to the right, by factors; score upwards."""

    def __init__(self, points: Sequence[Point]) -> None:
        self._low = math.log10(min(point.energy_low_mj for point in points)) - 0.05
        self._high = math.log10(max(point.energy_high_mj for point in points)) + 0.05
        low, high = min(point.score_low for point in points), max(point.score_high for point in points)
        self.step = next((step for step in SHARE_STEPS if (high - low) / step <= 8), SHARE_STEPS[-1])
        self._floor = math.floor(low / self.step) * self.step
        self._ceiling = max(math.ceil(high / self.step) * self.step, self._floor + self.step)

    def x(self, energy_mj: float) -> float:
        share = (math.log10(energy_mj) - self._low) / (self._high - self._low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, score: float) -> float:
        share = (self._ceiling - score) / (self._ceiling - self._floor)
        return TOP + share * (HEIGHT - TOP - BOTTOM)

    def grid(self, score_name: str) -> str:
        parts = [axis_name(score_name, (HEIGHT + TOP - BOTTOM) / 2)]
        for index in range(round((self._ceiling - self._floor) / self.step) + 1):
            score = self._floor + index * self.step
            parts.append(line(LEFT, self.y(score), WIDTH - RIGHT, self.y(score), "grid"))
            digits = 1 if self.step < 0.01 else 0
            parts.append(label(LEFT - 8, self.y(score) + 5, percent(score, digits), "end"))
        for tick in self._energy_ticks():
            parts.append(line(self.x(tick), TOP, self.x(tick), HEIGHT - BOTTOM, "grid"))
            parts.append(label(self.x(tick), HEIGHT - BOTTOM + 20, f"{tick:g}"))
        middle = (LEFT + WIDTH - RIGHT) / 2
        parts.append(label(middle, HEIGHT - 14, "energy per image, mJ (bars: interval)"))
        return "".join(parts)

    def _energy_ticks(self) -> list[float]:
        decades = range(math.floor(self._low) - 1, math.ceil(self._high) + 1)
        ticks = [digit * 10.0**decade for decade in decades for digit in (1, 2, 5)]
        return [tick for tick in ticks if self._low <= math.log10(tick) <= self._high]


def _mark(point: Point, axes: _Axes, *, best: bool) -> str:
    x, y = axes.x(point.energy_mj), axes.y(point.score)
    colour = "macro_f1" if best else "accuracy"
    shape = "dot" if point.provenance == "measured" else "ring"
    interval = f"{significant(point.energy_low_mj)} to {significant(point.energy_high_mj)} mJ"
    tip = (
        f"{point.name}: {percent(point.score)}, {significant(point.energy_mj)} mJ ({interval}),"
        f" {point.provenance}"
    )
    return (
        line(axes.x(point.energy_low_mj), y, axes.x(point.energy_high_mj), y, f"whisker {colour}")
        + line(x, axes.y(point.score_low), x, axes.y(point.score_high), f"whisker {colour}")
        + tag(
            "circle", tag("title", text(tip)), cx=f"{x:.1f}", cy=f"{y:.1f}", r=6, class_=f"{shape} {colour}"
        )
    )


def _names(points: Sequence[Point], axes: _Axes, front: Sequence[Point]) -> str:
    """Names where there is room: those of the front first, none over another one."""
    taken: list[tuple[float, float, float]] = []
    parts = []
    for point in [*front, *(each for each in points if each not in front)]:
        x, y, width = axes.x(point.energy_mj) + 11, axes.y(point.score) + 20, LETTER * len(point.name)
        if x + width > WIDTH:
            x -= width + 22
        if any(abs(y - there) < 16 and x < end and begin < x + width for begin, end, there in taken):
            continue  # the tip of the point still has it
        taken.append((x, x + width, y))
        parts.append(label(x, y, point.name, "start", "axis"))
    key = "filled: measured; ring: modelled; line: no run is better in both"
    return "".join(parts) + label(WIDTH - RIGHT, 21, key, "end")
