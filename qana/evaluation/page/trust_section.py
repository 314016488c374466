"""The part of the page on relying on answers: operating points, confidence, changed images, failures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qana.evaluation.page.charts import STAGE_LABELS
from qana.evaluation.page.markup import (
    ABSENT,
    count,
    definitions,
    percent,
    section,
    share_with_interval,
    signed_points,
    significant,
    small,
    table,
    text,
)

Report = Mapping[str, Any]
KINDS = {
    "brightness": "Brightness, factor",
    "blur_sigma_px": "Blur, sigma in pixels",
    "jpeg_quality": "JPEG, quality",
    "noise_sigma": "Noise, sigma of 255",
}


def trust(report: Report) -> str:
    """Sensitivity and specificity, confidence, and the surest failures; nothing without validation images."""
    block = report.get("trust")
    if block is None:
        return ""
    lead = (
        f"Answers of the stage {STAGE_LABELS[block['stage']]} to the test images. Thresholds and temperature"
        " were set on validation images: what a threshold reached there and reaches here differ, the more the"
        " fewer images a class has. A sensitivity is the share of a class that is found, a specificity the"
        " share of all others that is left alone."
    )
    parts = [_points(block["per_class"]), _confidence(block["calibration"]), _failures(block["failures"])]
    return section("Operating points and failures", "".join(parts), lead)


def robustness(report: Report) -> str:
    """Scores on changed images, where they were asked for."""
    block = report.get("robustness")
    if block is None:
        return ""
    lead = (
        f"{count(block['images'])} test images, changed at the size that the network sees, and put to the"
        f" stage {STAGE_LABELS[block['stage']]} again."
    )
    rows = [
        [
            "none",
            ABSENT,
            percent(block["unchanged"]["accuracy"]),
            percent(block["unchanged"]["macro_f1"]),
            ABSENT,
        ]
    ]
    for row in block["changed"]:
        drop = row["macro_f1_drop"]
        low, high = drop["ci95"]
        interval = f"{signed_points(-high)} to {signed_points(-low)}"
        points = f"{signed_points(-drop['value'])}{small(interval)}"
        scored = [percent(row["accuracy"]), percent(row["macro_f1"])]
        rows.append([KINDS[row["kind"]], significant(row["level"]), *scored, points])
    head = ["Change", "Level", "Accuracy", "Macro F1", "Points of macro F1"]
    caption = "Scores on changed images, with 95 % intervals over lesions"
    return section("Robustness", table(head, rows, caption=caption), lead)


def _points(per_class: Mapping[str, Report]) -> str:
    wanted = sorted(
        {point["wanted_sensitivity"] for found in per_class.values() for point in found["points"]} - {None}
    )
    head = ["Class", "Validation / test images", "Sensitivity", "Specificity"]
    head += [f"{name} for {percent(goal, 0)}" for goal in wanted for name in ("Sensitivity", "Specificity")]
    rows = []
    for name in sorted(per_class, key=lambda name: (per_class[name]["support"], name)):
        found = per_class[name]
        row = [text(name), f"{count(found['validation_support'])} / {count(found['support'])}"]
        by_goal = {point["wanted_sensitivity"]: point for point in found["points"]}
        for goal in (None, *wanted):
            row += [_rate(by_goal.get(goal), rate) for rate in ("sensitivity", "specificity")]
        rows.append(row)
    return table(head, rows, caption="Each class against the rest: by the largest logit, and by threshold")


def _rate(point: Report | None, name: str) -> str:
    return ABSENT if point is None else share_with_interval(point[name], point["ci95"][name])


def _confidence(found: Report) -> str:
    return definitions(
        [
            ("Temperature, fitted on validation images", significant(found["temperature"])),
            ("Calibration error on test images", percent(found["ece_before"])),
            ("with this temperature", percent(found["ece_after"])),
        ]
    )


def _failures(failures: list[Report]) -> str:
    if not failures:
        return ""
    rows = [
        [
            text(row["image_id"]),
            text(row["lesion_id"]),
            text(row["true"]),
            text(row["predicted"]),
            percent(row["confidence"]),
        ]
        for row in failures
    ]
    head = ["Image", "Lesion", "Diagnosis", "Taken for", "Confidence"]
    return table(head, rows, caption="Wrong answers, the surest first", numeric_from=4)
