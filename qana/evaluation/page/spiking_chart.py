"""Scores of a spiking network over time, with the float network's as the line that they approach."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qana.evaluation.page.markup import percent, tag, text
from qana.evaluation.page.svg import axis_name, label, line, svg

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 1020.0, 340.0, 78.0, 78.0, 40.0, 62.0
METRICS = {"accuracy": "Accuracy", "macro_f1": "Macro F1"}
SHIFT = 5.0  # px between the two metrics of one reading, so that their intervals do not hide each other
LINE_HEIGHT = 16.0

Report = Mapping[str, Any]


@dataclass(frozen=True)
class _Frame:
    """Time steps to the right, each doubling as wide as the last; shares upwards from `low` to `high`."""

    first: int
    last: int
    low: float
    high: float

    def x(self, steps: int) -> float:
        if self.first == self.last:
            return (LEFT + WIDTH - RIGHT) / 2
        share = math.log(steps / self.first) / math.log(self.last / self.first)
        return LEFT + 20 + share * (WIDTH - LEFT - RIGHT - 40)

    def y(self, share: float) -> float:
        return TOP + (self.high - share) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM)


def spiking_chart(curve: Sequence[Report], reference: Report) -> str:
    """Draw every reading with its 95 % intervals.

    Args:
        curve: readings, as in `snn.curve` of the report.
        reference: scores of the float network, as in `stages.float`.
    """
    frame = _frame(curve, reference)
    parts = [_grid(frame, [reading["time_steps"] for reading in curve]), _legend()]
    parts += [_reference(frame, metric, reference[metric]) for metric in METRICS]
    parts.append(_names(frame, reference))
    for place, metric in enumerate(METRICS):
        parts.append(_readings(frame, curve, metric, (place - 0.5) * SHIFT))
    return svg(WIDTH, HEIGHT, "".join(parts), "Score of the spiking network after so many time steps")


def _frame(curve: Sequence[Report], reference: Report) -> _Frame:
    shares = [bound for reading in curve for metric in METRICS for bound in reading["ci95"][metric]]
    shares += [reference[metric] for metric in METRICS]
    low = max(0.0, math.floor(min(shares) * 10) / 10)
    high = max(low + 0.1, min(1.0, math.ceil(max(shares) * 10) / 10))
    return _Frame(curve[0]["time_steps"], curve[-1]["time_steps"], low, high)


def _grid(frame: _Frame, times: Sequence[int]) -> str:
    parts = []
    for tenth in range(round(frame.low * 10), round(frame.high * 10) + 1):
        y = frame.y(tenth / 10)
        parts += [line(LEFT, y, WIDTH - RIGHT, y, "grid"), label(LEFT - 8, y + 4, f"{tenth * 10} %", "end")]
    foot = HEIGHT - BOTTOM
    parts += [label(frame.x(steps), foot + 22, str(steps)) for steps in times]
    parts.append(label((LEFT + WIDTH - RIGHT) / 2, foot + 46, "time steps T"))
    return "".join([*parts, axis_name("score", (TOP + foot) / 2)])


def _legend() -> str:
    parts = []
    for place, (metric, name) in enumerate(METRICS.items()):
        x = LEFT + 10 + place * 120
        parts.append(tag("circle", cx=x, cy=16, r=5, class_=f"dot {metric}"))
        parts.append(label(x + 12, 21, name, "start", "axis"))
    return "".join(
        [*parts, label(WIDTH - RIGHT, 21, "bars: 95 % interval; dashed: the float network", "end")]
    )


def _reference(frame: _Frame, metric: str, share: float) -> str:
    return line(LEFT, frame.y(share), WIDTH - RIGHT, frame.y(share), f"reference {metric}")


def _names(frame: _Frame, reference: Report) -> str:
    """The float network's scores at the right edge, moved apart where they would lie on each other."""
    upper, lower = sorted(METRICS, key=lambda metric: -reference[metric])
    y = [frame.y(reference[metric]) + 5 for metric in (upper, lower)]
    overlap = max(0.0, LINE_HEIGHT - (y[1] - y[0])) / 2
    places = zip((upper, lower), (y[0] - overlap, y[1] + overlap), strict=True)
    return "".join(label(WIDTH - RIGHT + 8, at, percent(reference[metric]), "start") for metric, at in places)


def _readings(frame: _Frame, curve: Sequence[Report], metric: str, shift: float) -> str:
    places = [(frame.x(reading["time_steps"]) + shift, frame.y(reading[metric])) for reading in curve]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts = [tag("polyline", points=path, class_=f"curve {metric}")]
    for reading, (x, y) in zip(curve, places, strict=True):
        low, high = reading["ci95"][metric]
        tip = f"T = {reading['time_steps']}: {METRICS[metric]} {percent(reading[metric])}"
        tip = f"{tip}, {percent(low)} to {percent(high)}"
        parts.append(line(x, frame.y(low), x, frame.y(high), f"whisker {metric}"))
        dot = tag("title", text(tip))
        parts.append(tag("circle", dot, cx=f"{x:.1f}", cy=f"{y:.1f}", r=5, class_=f"dot {metric}"))
    return "".join(parts)
