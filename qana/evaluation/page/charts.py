"""Inline SVG charts. Colours are CSS variables, so that one drawing serves light, dark and paper."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qana.evaluation.bootstrap import Values
from qana.evaluation.calibration import NUM_BINS
from qana.evaluation.page.markup import percent, tag, text
from qana.evaluation.page.svg import axis_name, label, line, svg

LADDER_METRICS = {"accuracy": "Accuracy", "balanced_accuracy": "Balanced accuracy", "macro_f1": "Macro F1"}
STAGE_LABELS = {
    "float": "float",
    "torch": "torch, quantized",
    "onnx": "ONNX",
    "keras": "Keras",
    "quantized_keras": "Keras, quantized",
    "akida": "Akida",
    "snn": "SNN",
}


def network_label(stage: str) -> str:
    """The first word for a stage, where no other stage can be meant."""
    return STAGE_LABELS[stage].partition(",")[0]


def ladder_chart(stages: Mapping[str, Mapping[str, Any]]) -> str:
    """Each metric at each stage, with its 95 % interval as a bar."""
    width, height, left, right, top, bottom = 1020.0, 350.0, 78.0, 12.0, 40.0, 44.0
    lows = [stages[s]["ci95"][m][0] for s in stages for m in LADDER_METRICS]
    highs = [stages[s]["ci95"][m][1] for s in stages for m in LADDER_METRICS]
    floor = max(0.0, math.floor(min(lows) * 10) / 10)
    ceiling = min(1.0, math.ceil(max(highs) * 10) / 10)
    span = max(ceiling - floor, 0.1)

    def y(share: float) -> float:
        return top + (floor + span - share) / span * (height - top - bottom)

    parts = []
    for tenth in range(round(floor * 10), round((floor + span) * 10) + 1):
        parts.append(line(left, y(tenth / 10), width - right, y(tenth / 10), "grid"))
        parts.append(label(left - 8, y(tenth / 10) + 4, f"{tenth * 10} %", "end"))
    parts.append(axis_name("score", (height + top - bottom) / 2))
    step = (width - left - right) / len(stages)
    for position, (stage, found) in enumerate(stages.items()):
        centre = left + step * (position + 0.5)
        parts.append(label(centre, height - bottom + 24, STAGE_LABELS[stage], class_="axis"))
        parts.extend(_ladder_marks(found, centre, y))
    for place, (metric, name) in enumerate(LADDER_METRICS.items()):
        x = left + 10 + place * 185
        parts.append(tag("circle", cx=x, cy=16, r=5, class_=f"dot {metric}"))
        parts.append(label(x + 12, 21, name, "start", "axis"))
    parts.append(label(width - right, 21, "bars: 95 % interval", "end"))
    return svg(width, height, "".join(parts), "Score at every stage of the ladder, with 95 % intervals")


def _ladder_marks(found: Mapping[str, Any], centre: float, y: Any) -> list[str]:
    marks = []
    for place, (metric, name) in enumerate(LADDER_METRICS.items()):
        x, (low, high) = centre + (place - 1) * 24, found["ci95"][metric]
        marks.append(line(x, y(low), x, y(high), f"whisker {metric}"))
        tip = tag("title", text(f"{name} {percent(found[metric])}, {percent(low)} to {percent(high)}"))
        marks.append(
            tag("circle", tip, cx=f"{x:.1f}", cy=f"{y(found[metric]):.1f}", r=6, class_=f"dot {metric}")
        )
    return marks


def confusion_chart(confusion: Values, classes: Sequence[str], title: str) -> str:
    """Counts by true and predicted class; the shade is the share of the true class."""
    # The column of row labels grows with the longest name, at about 7 px a letter.
    left = 34.0 + 7.2 * max(len(name) for name in classes)
    cell, top = 52.0, 34.0 + 5.2 * max(len(name) for name in classes)
    size = cell * len(classes)
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    parts = []
    for row, true_name in enumerate(classes):
        parts.append(label(left - 8, top + cell * (row + 0.5) + 4, true_name, "end", "axis"))
        x, y = left + cell * (row + 0.5) + 4, top - 10
        turned = tag(
            "text", text(true_name), transform=f"translate({x:.1f} {y:.1f}) rotate(-45)", class_="axis"
        )
        parts.append(turned)
        for column in range(len(classes)):
            parts.append(
                _cell(confusion, shares, row, column, (left + cell * column, top + cell * row, cell))
            )
    parts.append(label(left + size / 2, top + size + 24, "predicted class"))
    middle = top + size / 2
    parts.append(axis_name("true class", middle))
    overhang = 4.2 * len(classes[-1])
    return svg(left + size + overhang, top + size + 34, "".join(parts), title)


def _cell(confusion: Values, shares: Values, row: int, column: int, place: tuple[float, float, float]) -> str:
    x, y, size = place
    share = shares[row, column]
    kind = "hit" if row == column else "miss"
    box = tag(
        "rect", x=f"{x + 1:.1f}", y=f"{y + 1:.1f}", width=size - 2, height=size - 2, rx=4,
        class_=f"cell {kind}", style=f"fill-opacity:{0.06 + 0.88 * share:.3f}",
    )  # fmt: skip
    number = int(confusion[row, column])
    tone = "on" if share > 0.5 else "zero" if number == 0 else "count"
    return box + label(x + size / 2, y + size / 2 + 5, str(number), class_=f"cellnumber {tone}")


def reliability_chart(series: Mapping[str, NDArray[np.float64]]) -> str:
    """Accuracy against confidence in 15 bins; on the diagonal a network is as right as it says.

    Args:
        series: stage to summed bin rows (3 * NUM_BINS,): counts, confidences, correct.
    """
    width, left, top, size = 450.0, 78.0, 40.0, 350.0
    parts = []
    for tick in range(0, 11, 2):
        at = tick / 10 * size
        parts.append(line(left, top + size - at, left + size, top + size - at, "grid"))
        parts.append(label(left - 8, top + size - at + 4, f"{tick * 10} %", "end"))
        parts.append(label(left + at, top + size + 20, f"{tick * 10} %"))
    parts.append(line(left, top + size, left + size, top, "diagonal"))
    for place, (stage, sums) in enumerate(series.items()):
        parts.append(_reliability_line(stage, sums, left, top, size))
        x = left + 10 + place * 190
        parts.append(tag("circle", cx=x, cy=16, r=5, class_=f"dot {_series_class(stage)}"))
        parts.append(label(x + 12, 21, STAGE_LABELS[stage], "start", "axis"))
    parts.append(label(left + size / 2, top + size + 42, "confidence"))
    parts.append(axis_name("accuracy", top + size / 2))
    return svg(width, top + size + 52, "".join(parts), "Accuracy against confidence in fifteen bins")


def _series_class(stage: str) -> str:
    return "macro_f1" if stage in ("akida", "snn") else "accuracy"


def _reliability_line(stage: str, sums: NDArray[np.float64], left: float, top: float, size: float) -> str:
    counts, confidences, correct = sums.reshape(3, NUM_BINS)
    filled = counts > 0
    xs = left + size * confidences[filled] / counts[filled]
    ys = top + size * (1 - correct[filled] / counts[filled])
    radii = 3 + 6 * np.sqrt(counts[filled] / counts.sum())
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
    dots = "".join(
        tag("circle", tag("title", f"{int(n)} images"), cx=f"{x:.1f}", cy=f"{y:.1f}", r=f"{r:.1f}",
            class_=f"dot {_series_class(stage)} see-through")
        for x, y, r, n in zip(xs, ys, radii, counts[filled], strict=True)
    )  # fmt: skip
    return tag("polyline", points=path, class_=f"curve {_series_class(stage)}") + dots
