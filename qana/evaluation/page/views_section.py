"""The part of the page on answers from several orientations of an image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qana.evaluation.page.charts import STAGE_LABELS
from qana.evaluation.page.markup import (
    badge,
    percent,
    section,
    share_with_interval,
    signed_points,
    significant,
    table,
)

METRICS = {"accuracy": "Accuracy", "macro_f1": "Macro F1", "balanced_accuracy": "Balanced accuracy"}
COSTS = {"latency_ms": "Latency, ms", "energy_mj": "Energy, mJ"}


def views(report: Mapping[str, Any]) -> str:
    """Scores and costs of one orientation beside those of several, where they were asked for."""
    block = report.get("views")
    if block is None:
        return ""
    stage, count = block["stage"], block["count"]
    gain = block["macro_f1_gain"]
    low, high = gain["ci95"]
    lead = (
        f"Each test image put in {count} orientations (quarter turns and mirrors) to the stage"
        f" {STAGE_LABELS[stage]}, and the logits averaged: {signed_points(gain['value'])} points of macro F1"
        f" ({signed_points(low)} to {signed_points(high)}, 95 % over lesions), for {count} runs of the chip"
        " an image. Every other score of this page is of one orientation."
    )
    once = report["stages"][stage]
    rows = [
        [
            label,
            percent(once[key]),
            share_with_interval(block["averaged"][key], block["averaged"]["ci95"].get(key)),
        ]
        for key, label in METRICS.items()
    ]
    rows += [
        [label, _estimate(report["cost"][key]), _estimate(block[key])]
        for key, label in COSTS.items()
        if key in block
    ]
    head = ["", "One orientation", f"{count} orientations"]
    caption = "Scores with 95 % intervals over lesions, and what they cost on the chip"
    return section("Eight orientations", table(head, rows, caption=caption), lead)


def _estimate(known: Mapping[str, Any]) -> str:
    return f"{significant(known['value'])} {badge(known['provenance'])}"
