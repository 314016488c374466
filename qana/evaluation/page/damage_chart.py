"""Recall of each class before and after, and beside it the change with its interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qana.evaluation.page.markup import percent, signed_points, tag, text
from qana.evaluation.page.svg import label, line, svg

WIDTH, TOP, BOTTOM, RIGHT, GAP, ROW = 1020.0, 66.0, 16.0, 26.0, 68.0, 34.0
# Widths of a letter and a digit of the page's font, on the generous side.
LETTER, DIGIT = 8.0, 9.0
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
MAX_TICKS = 7


@dataclass(frozen=True)
class DamageRow:
    """One class of the chart, in shares; `change` is after minus before, `low` to `high` its interval."""

    name: str
    support: int
    before: float
    after: float
    change: float
    low: float
    high: float


@dataclass(frozen=True)
class _Axis:
    """A horizontal axis from `low` to `high` (shares), drawn from `left` to `right` (px)."""

    low: float
    high: float
    left: float
    right: float
    step: float

    def x(self, share: float) -> float:
        return self.left + (share - self.low) / (self.high - self.low) * (self.right - self.left)

    def ticks(self) -> list[float]:
        return [self.low + i * self.step for i in range(round((self.high - self.low) / self.step) + 1)]


def damage_chart(rows: Sequence[DamageRow], before: str, after: str) -> str:
    """Draw the classes from top to bottom in the order given.

    Args:
        rows: one per class.
        before: label of the earlier stage.
        after: label of the later stage.
    """
    count_width = DIGIT * max(len(_count(row)) for row in rows)
    left = 34.0 + count_width + LETTER * max(len(row.name) for row in rows)
    panel = (WIDTH - left - GAP - RIGHT) / 2
    recall = _Axis(0.0, 1.0, left, left + panel, 0.2)
    change = _change_axis(rows, WIDTH - RIGHT - panel, WIDTH - RIGHT)
    foot = TOP + ROW * len(rows)
    parts = [_grid(recall, foot, _percent_tick), _grid(change, foot, _points_tick)]
    parts.append(line(change.x(0), TOP, change.x(0), foot, "zero"))
    parts.append(_legend(recall, before, after))
    parts.append(label(change.left, 21, "Change of recall, points", "start", "axis"))
    parts.append(label(change.right, 21, "bars: paired 95 % interval", "end"))
    for position, row in enumerate(rows):
        parts.append(_row(row, TOP + ROW * (position + 0.5), recall, change, count_width))
    title = f"Recall of each class, {before} and {after}, and its change with a 95 % interval"
    return svg(WIDTH, foot + BOTTOM, "".join(parts), title)


def _percent_tick(share: float) -> str:
    return percent(share, 0)


def _points_tick(share: float) -> str:
    return signed_points(share, 0)


def _change_axis(rows: Sequence[DamageRow], left: float, right: float) -> _Axis:
    """As wide as the intervals, at least 5 points to each side of 0, so that noise does not fill it."""
    low = min(-0.05, *(min(row.low, row.change) for row in rows))
    high = max(0.05, *(max(row.high, row.change) for row in rows))
    step = next((step for step in STEPS if (high - low) / step <= MAX_TICKS), STEPS[-1])
    return _Axis(math.floor(low / step) * step, math.ceil(high / step) * step, left, right, step)


def _grid(axis: _Axis, foot: float, words: Callable[[float], str]) -> str:
    parts = []
    for tick in axis.ticks():
        parts.append(line(axis.x(tick), TOP, axis.x(tick), foot, "grid"))
        parts.append(label(axis.x(tick), TOP - 10, words(tick)))
    return "".join(parts)


def _legend(axis: _Axis, before: str, after: str) -> str:
    second = axis.left + 96 + 7.6 * len(before)
    return (
        label(axis.left, 21, "Recall", "start", "axis")
        + tag("circle", cx=f"{axis.left + 66:.1f}", cy=16, r=6, class_="ring accuracy")
        + label(axis.left + 78, 21, before, "start", "axis")
        + tag("circle", cx=f"{second + 6:.1f}", cy=16, r=5, class_="dot macro_f1")
        + label(second + 18, 21, after, "start", "axis")
    )


def _count(row: DamageRow) -> str:
    return f"n = {row.support:,}"


def _row(row: DamageRow, y: float, recall: _Axis, change: _Axis, count_width: float) -> str:
    recalls = f"{row.name}: recall {percent(row.before)}, then {percent(row.after)}"
    interval = f"{signed_points(row.low)} to {signed_points(row.high)}"
    changed = f"{row.name}: {signed_points(row.change)} points, {interval}"
    return (
        label(recall.left - 22 - count_width, y + 5, row.name, "end", "axis")
        + label(recall.left - 14, y + 5, _count(row), "end")
        + line(recall.x(row.before), y, recall.x(row.after), y, "link")
        + _circle(recall.x(row.before), y, 7, "ring accuracy", recalls)
        + _circle(recall.x(row.after), y, 5, "dot macro_f1", recalls)
        + line(change.x(row.low), y, change.x(row.high), y, "whisker macro_f1")
        + _circle(change.x(row.change), y, 5, "dot macro_f1", changed)
    )


def _circle(x: float, y: float, radius: float, class_: str, tip: str) -> str:
    return tag(
        "circle", tag("title", text(tip)), cx=f"{x:.1f}", cy=f"{y:.1f}", r=f"{radius:g}", class_=class_
    )
