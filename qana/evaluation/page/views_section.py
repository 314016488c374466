"""The part of the page on an image in several orientations: their mean, and where they differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qana.evaluation.page.charts import STAGE_LABELS
from qana.evaluation.page.markup import (
    badge,
    count,
    percent,
    section,
    share_with_interval,
    signed_points,
    significant,
    table,
    tag,
    text,
)

METRICS = {"accuracy": "Accuracy", "macro_f1": "Macro F1", "balanced_accuracy": "Balanced accuracy"}
COSTS = {"latency_ms": "Latency, ms", "energy_mj": "Energy, mJ"}


def views(report: Mapping[str, Any]) -> str:
    """Scores and costs of one orientation beside those of several, where they were asked for."""
    block = report.get("views")
    if block is None:
        return ""
    stage, number = block["stage"], block["count"]
    gain = block["macro_f1_gain"]
    low, high = gain["ci95"]
    lead = (
        f"Each test image put in {number} orientations (quarter turns and mirrors) to the stage"
        f" {STAGE_LABELS[stage]}, and the logits averaged: {signed_points(gain['value'])} points of macro F1"
        f" ({signed_points(low)} to {signed_points(high)}, 95 % over lesions), for {number} runs of the chip"
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
    head = ["", "One orientation", f"{number} orientations"]
    caption = "Scores with 95 % intervals over lesions, and what they cost on the chip"
    content = table(head, rows, caption=caption) + _turned(block.get("orientation"))
    return section("Eight orientations", content, lead)


def _turned(found: Mapping[str, Any] | None) -> str:
    """Whose class depends on how the photograph was held; nothing for a report from before the question."""
    if found is None:
        return ""
    share, difference = found["changed_share"], found["largest_logit_difference"]
    low, high = share["ci95"]
    answer = f"A logit moves by up to {significant(difference)}."
    if difference == 0:
        answer = "The logits are the same to the last bit in all of them."
    elif share["value"] > 0:
        answer += " A network with shared kernels (backbone.symmetry) gives one answer."
    lead = (
        f"{percent(share['value'])} of the images ({percent(low)} to {percent(high)}, 95 % over lesions) get"
        f" another class in some orientation. {answer}"
    )
    rows = [
        [text(name), count(counted["changed"]), count(counted["support"]), percent(_share(counted))]
        for name, counted in found["per_class"].items()
    ]
    head = ["True class", "Class depends on orientation", "Images", "Share"]
    return tag("p", lead) + table(head, rows, caption="Images whose class depends on their orientation")


def _share(counted: Mapping[str, int]) -> float | None:
    return counted["changed"] / counted["support"] if counted["support"] else None


def _estimate(known: Mapping[str, Any]) -> str:
    return f"{significant(known['value'])} {badge(known['provenance'])}"
