"""The part of the page on the classes: what each of them scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qana.evaluation.page.charts import STAGE_LABELS
from qana.evaluation.page.markup import bar, count, percent, section, table, text
from qana.evaluation.stages import float_stage

Report = Mapping[str, Any]


def per_class(report: Report) -> str:
    """Float against the chip for every class, rarest first."""
    stages = report["stages"]
    both = (float_stage(stages), "akida", "snn")
    compared = [stage for stage in both if stage and stage in stages] or list(stages)[-1:]
    first = stages[compared[0]]["per_class"]
    names = sorted(first, key=lambda name: (first[name]["support"], name))
    head = ["Class", "Test images"]
    head += [f"{metric}, {STAGE_LABELS[s]}" for s in compared for metric in ("Precision", "Recall", "F1")]
    rows = []
    for name in names:
        row = [text(name), count(first[name]["support"])]
        for stage in compared:
            scores = stages[stage]["per_class"][name]
            row += [
                percent(scores["precision"]),
                percent(scores["recall"]),
                bar(scores["f1"], percent(scores["f1"])),
            ]
        rows.append(row)
    return section(
        "Classes, rarest first", table(head, rows, caption="Scores of each class on the test images")
    )
