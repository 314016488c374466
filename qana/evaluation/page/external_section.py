"""The part of the page on the second source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qana.evaluation.page.charts import STAGE_LABELS, network_label
from qana.evaluation.page.data_section import audit, skipped
from qana.evaluation.page.markup import (
    bar,
    count,
    definitions,
    percent,
    section,
    share_with_interval,
    table,
    tag,
    text,
)
from qana.evaluation.stages import converted_stage

Report = Mapping[str, Any]
_METRICS = ("accuracy", "macro_f1", "balanced_accuracy", "ece")


def external_test(report: Report) -> str:
    """The stage ladder on the external test set; nothing where there is none."""
    found = report.get("external_test")
    if found is None:
        return ""
    lead = (
        f"{count(found['size'])} images of {found['name']}, which took no part in training.{_absent(found)}"
    )
    facts = [("Source", f"{text(found['name'])}, {tag('code', text(found['fingerprint'][:16]))}")]
    facts.append(("Image names that training knows", count(len(found["shared_images"]))))
    if found["agreement"] is not None:
        converted = network_label(converted_stage(found["stages"]))
        facts.append((f"Agreement {converted}, Akida", percent(found["agreement"])))
    content = _ladder(found) + _classes(found) + definitions(facts)
    content += audit(found["audit"], "Shared with training and validation", groups_known=False) + skipped(
        found
    )
    return section("External test", content, lead)


def _absent(found: Report) -> str:
    if not found["absent_classes"]:
        return ""
    present = len(found["class_counts"]) - len(found["absent_classes"])
    names = ", ".join(found["absent_classes"])
    return f" It holds no image of {names}: every mean is over the {present} classes that it has."


def _ladder(found: Report) -> str:
    rows = [
        [
            text(STAGE_LABELS[stage]),
            *(share_with_interval(scores[metric], scores["ci95"][metric]) for metric in _METRICS),
            percent(scores["macro_auroc"]),
        ]
        for stage, scores in found["stages"].items()
    ]
    head = ["Stage", "Accuracy", "Macro F1", "Balanced accuracy", "Calibration error", "Macro AUROC"]
    caption = "External test scores; 95 % bootstrap intervals, whole lesions drawn with replacement"
    return table(head, rows, caption=caption)


def _classes(found: Report) -> str:
    last = list(found["stages"])[-1]
    rows = [
        [
            text(name),
            count(scores["support"]),
            percent(scores["precision"]),
            percent(scores["recall"]),
            bar(scores["f1"], percent(scores["f1"])),
        ]
        for name, scores in found["stages"][last]["per_class"].items()
    ]
    head = ["Class", "Images", "Precision", "Recall", "F1"]
    return table(head, rows, caption=f"Scores of each class, {STAGE_LABELS[last]}")
