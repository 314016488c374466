"""The part of the page on the stages: every score from the float network to the chip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qana.evaluation.page.charts import STAGE_LABELS, ladder_chart
from qana.evaluation.page.markup import percent, section, share_with_interval, table, tag, text

Report = Mapping[str, Any]


def ladder(report: Report) -> str:
    """Every stage with its intervals, as a chart and as a table."""
    stages = report["stages"]
    rows = [
        [
            text(STAGE_LABELS[name]),
            *(
                share_with_interval(found[metric], found["ci95"][metric])
                for metric in ("accuracy", "macro_f1", "balanced_accuracy", "ece")
            ),
            percent(found["macro_auroc"]),
        ]
        for name, found in stages.items()
    ]
    head = ["Stage", "Accuracy", "Macro F1", "Balanced accuracy", "Calibration error", "Macro AUROC"]
    caption = "Test scores; 95 % bootstrap intervals, whole lesions drawn with replacement"
    way = ", from the network before quantization to the chip's integers" if "akida" in stages else ""
    lead = f"The same test images at every stage{way}."
    return section(
        "Stage ladder",
        tag("div", ladder_chart(stages), class_="scroll") + table(head, rows, caption=caption),
        lead,
    )
