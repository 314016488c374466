"""Drawings of incremental learning: the curve over the sessions, and what is left of each one's images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from qana.evaluation.page.markup import percent, tag, text
from qana.evaluation.page.svg import axis_name, label, line, svg

METRICS = {"accuracy": "Accuracy", "macro_f1": "Macro F1"}


def session_chart(sessions: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """Accuracy and macro F1 after each session, with 95 % intervals.

    Args:
        sessions: of the block.
        names: below the sessions.
    """
    width, height, left, right, top, bottom = 1020.0, 340.0, 78.0, 24.0, 40.0, 44.0
    ends = [end for session in sessions for metric in METRICS for end in session[metric]["ci95"]]
    floor = max(0.0, math.floor(min(ends) * 10) / 10)
    span = max(min(1.0, math.ceil(max(ends) * 10) / 10) - floor, 0.1)
    step = (width - left - right) / len(sessions)

    def y(share: float) -> float:
        return top + (floor + span - share) / span * (height - top - bottom)

    def x(place: int) -> float:
        return left + step * (place + 0.5)

    parts = []
    for tenth in range(round(floor * 10), round((floor + span) * 10) + 1):
        parts.append(line(left, y(tenth / 10), width - right, y(tenth / 10), "grid"))
        parts.append(label(left - 8, y(tenth / 10) + 4, f"{tenth * 10} %", "end"))
    parts.append(axis_name("score over classes seen", (height + top - bottom) / 2))
    for place, name in enumerate(names):
        parts.append(label(x(place), height - bottom + 24, name, class_="axis"))
    for place, (metric, name) in enumerate(METRICS.items()):
        parts += _curve(sessions, metric, name, x, y, shift=(place - 0.5) * 14)
        parts.append(tag("circle", cx=left + 10 + place * 140, cy=16, r=5, class_=f"dot {metric}"))
        parts.append(label(left + 22 + place * 140, 21, name, "start", "axis"))
    parts.append(label(width - right, 21, "bars: 95 % interval", "end"))
    return svg(width, height, "".join(parts), "Score after every session, with 95 % intervals")


def _curve(
    sessions: Sequence[Mapping[str, Any]], metric: str, name: str, x: Any, y: Any, *, shift: float
) -> list[str]:
    points = [(x(place) + shift, session[metric]) for place, session in enumerate(sessions)]
    path = " ".join(f"{at:.1f},{y(found['value']):.1f}" for at, found in points)
    marks = [tag("polyline", points=path, class_=f"curve {metric}")]
    for at, found in points:
        low, high = found["ci95"]
        tip = tag("title", text(f"{name} {percent(found['value'])}, {percent(low)} to {percent(high)}"))
        marks.append(line(at, y(low), at, y(high), f"whisker {metric}"))
        marks.append(
            tag("circle", tip, cx=f"{at:.1f}", cy=f"{y(found['value']):.1f}", r=6, class_=f"dot {metric}")
        )
    return marks


def forgetting_chart(matrix: Sequence[Sequence[float | None]], names: Sequence[str]) -> str:
    """Accuracy after each session (row) on the test images of each session (column).

    Args:
        matrix: of the block; None or NaN where a session has no test image.
        names: of the sessions.
    """
    words = 7.6 * max(len(name) for name in names)  # wider than the widest name
    left, wide, high, top = 44.0 + words, max(62.0, words + 14.0), 62.0, 64.0
    width, height = wide * len(names), high * len(names)
    parts = []
    for row, name in enumerate(names):
        parts.append(label(left - 8, top + high * (row + 0.5) + 4, name, "end", "axis"))
        parts.append(label(left + wide * (row + 0.5), top - 10, name, class_="axis"))
        for column in range(len(names)):
            parts.append(_cell(matrix[row][column], left + wide * column, top + high * row, wide, high))
    parts.append(label(left + width / 2, top - 36, "test images of session"))
    parts.append(axis_name("after session", top + height / 2))
    return svg(
        left + width + 12, top + height + 12, "".join(parts), "Accuracy after each session, by session"
    )


def _cell(share: float | None, x: float, y: float, width: float, height: float) -> str:
    known = share is not None and not math.isnan(share)
    shade = share if known and share is not None else 0.0
    box = tag(
        "rect", x=f"{x + 1:.1f}", y=f"{y + 1:.1f}", width=f"{width - 2:.1f}", height=f"{height - 2:.1f}",
        rx=4, class_="cell hit", style=f"fill-opacity:{0.06 + 0.88 * shade:.3f}",
    )  # fmt: skip
    tone = "on" if shade > 0.5 else "count"
    words = percent(share, digits=0) if known else "none"
    return box + label(x + width / 2, y + height / 2 + 5, words, class_=f"cellnumber {tone}")
