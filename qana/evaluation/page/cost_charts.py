"""Where the time and the energy of an image go, layer by layer and model by model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from qana.evaluation.page.markup import significant, tag, text
from qana.evaluation.page.svg import label, line, svg

Row = Mapping[str, Any]
WIDTH, TOP, ROW, RIGHT, LETTER = 1020.0, 42.0, 30.0, 96.0, 8.0
TICKS = 6


def latency_waterfall(layers: Sequence[Row]) -> str:
    """Each layer begins where the one before ends: an image on its own; the last bar is the whole.

    Args:
        layers: rows of ``cost.layers``, input first.
    """
    timed = [row for row in layers if row["latency_ms"]["value"] > 0]
    total = sum(row["latency_ms"]["value"] for row in timed)
    left = _left([*(row["name"] for row in timed), "whole image"])
    scale = _Scale(0.0, total, left, WIDTH - RIGHT)
    foot = TOP + ROW * (len(timed) + 1)
    parts, begun = [_grid(scale, foot, "ms")], 0.0
    for place, row in enumerate(timed):
        span = row["latency_ms"]["value"]
        tip = f"{row['name']}: {significant(span)} ms, {row['nps']} neural processors"
        parts.append(_bar(scale, place, row["name"], begun, begun + span, "accuracy", tip))
        begun += span
    parts.append(_bar(scale, len(timed), "whole image", 0.0, total, "macro_f1", f"{significant(total)} ms"))
    return svg(WIDTH, foot + 12, "".join(parts), "Latency of one image, layer by layer")


def energy_breakdown(cost: Row) -> str:
    """Floor and events of an image, in each way of running, as stacked bars.

    Args:
        cost: block of the report.
    """
    events = sum(row["energy_uj"]["value"] for row in cost["layers"]) / 1e3
    rows = [("one image, core", cost.get("modelled", cost)["energy_mj"]["value"])]
    names = {"stream": "stream, core", "wall": "one image, wall", "wall_stream": "stream, wall"}
    rows += [(names[way], figures["energy_mj"]["value"]) for way, figures in cost["ways"].items()]
    left = _left([name for name, _ in rows])
    scale = _Scale(0.0, max(energy for _, energy in rows), left, WIDTH - RIGHT)
    foot = TOP + ROW * len(rows)
    parts = [_grid(scale, foot, "mJ")]
    for place, (name, energy) in enumerate(rows):
        floor = max(energy - events, 0.0)
        parts.append(
            _bar(scale, place, name, 0.0, floor, "balanced_accuracy", f"floor {significant(floor)} mJ")
        )
        tip = f"events {significant(events)} mJ"
        parts.append(_bar(scale, place, "", floor, energy, "macro_f1", tip, total=energy))
    for place, (class_, name) in enumerate(
        (("balanced_accuracy", "floor power x time"), ("macro_f1", "events"))
    ):
        x = left + 10 + place * 190
        parts.append(tag("circle", cx=f"{x:.1f}", cy=foot + 18, r=5, class_=f"dot {class_}"))
        parts.append(label(x + 12, foot + 23, name, "start", "axis"))
    return svg(WIDTH, foot + 34, "".join(parts), "Energy of one image: the idle board, and the events")


class _Scale:
    """A horizontal axis with round ticks."""

    def __init__(self, low: float, high: float, left: float, right: float) -> None:
        self.low, self.left, self.right = low, left, right
        rough = max(high - low, 1e-12) / TICKS
        magnitude = 10.0 ** math.floor(math.log10(rough))
        self.step = next(each * magnitude for each in (1, 2, 5, 10) if each * magnitude >= rough)
        self.high = math.ceil(high / self.step) * self.step

    def x(self, value: float) -> float:
        return self.left + (value - self.low) / (self.high - self.low) * (self.right - self.left)

    def ticks(self) -> list[float]:
        return [self.low + i * self.step for i in range(round((self.high - self.low) / self.step) + 1)]


def _left(names: Sequence[str]) -> float:
    return 24.0 + LETTER * max(len(name) for name in names)


def _grid(scale: _Scale, foot: float, unit: str) -> str:
    parts = [
        line(scale.x(tick), TOP, scale.x(tick), foot, "grid") + label(scale.x(tick), TOP - 10, f"{tick:g}")
        for tick in scale.ticks()
    ]
    return "".join(parts) + label(scale.right + 24, TOP - 10, unit, "start", "axis")


def _bar(
    scale: _Scale,
    place: int,
    name: str,
    begin: float,
    end: float,
    class_: str,
    tip: str,
    *,
    total: float | None = None,
) -> str:
    y = TOP + ROW * place
    box = tag(
        "rect",
        tag("title", text(tip)),
        x=f"{scale.x(begin):.1f}",
        y=f"{y + 6:.1f}",
        width=f"{max(scale.x(end) - scale.x(begin), 1.0):.1f}",
        height=ROW - 12,
        class_=f"dot {class_}",
    )
    words = label(scale.left - 10, y + ROW / 2 + 5, name, "end", "axis") if name else ""
    stacked = class_ == "balanced_accuracy"  # the bar behind it carries the figure of both
    shown = total if total is not None else end - begin
    figure = "" if stacked else label(scale.x(end) + 8, y + ROW / 2 + 5, significant(shown), "start", "tick")
    return box + words + figure
