"""The part of the page on whom it works for: scores by age, sex, localization and image tone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qana.evaluation.page.charts import STAGE_LABELS
from qana.evaluation.page.markup import (
    ABSENT,
    count,
    few_badge,
    groups_of,
    percent,
    section,
    share_with_interval,
    small,
    table,
    text,
)

Report = Mapping[str, Any]
TITLES = {"age": "Age, years", "sex": "Sex", "localization": "Localization", "image_tone": "Image tone"}
_TONE = (
    " Image tone is estimated from the skin around the lesion as photographed; light and camera change it,"
    " and it is not a skin type."
)


def strata(report: Report) -> str:
    """One table per attribute; nothing where the source knows no attribute."""
    block = report.get("strata")
    if block is None:
        return ""
    classes = report["dataset"]["classes"]
    last = block["stages"][-1]
    lead = (
        f"Test images by what is known of them, at the stage {STAGE_LABELS[last]}. Recall is the share of a"
        " class that is found, above its number of images. The mix of diagnoses differs between rows, and"
        f" accuracy with it: compare the recalls. Rows with fewer than {block['min_groups']}"
        f" {groups_of(report)} are marked few; they have no intervals and can be off by chance."
    )
    tables = (_table(name, rows, block["stages"], classes) for name, rows in block["attributes"].items())
    note = _TONE if "image_tone" in block["attributes"] else ""
    return section("Who it works for", "".join(tables), lead + note)


def _table(attribute: str, rows: Sequence[Report], stages: Sequence[str], classes: Sequence[str]) -> str:
    last = stages[-1]
    title = TITLES[attribute]
    head = [title, "Images", "Accuracy", "Balanced accuracy"]
    head += [f"Accuracy, {STAGE_LABELS[stage]}" for stage in stages[:-1]]
    head += [f"Recall, {text(name)}" for name in classes]
    cells = []
    for row in rows:
        found = row["stages"][last]
        line = [_value(row), f"{count(row['images'])}{small(count(row['groups']) + ' groups')}"]
        line += [_score(found, "accuracy"), _score(found, "balanced_accuracy")]
        line += [percent(row["stages"][stage]["accuracy"]) for stage in stages[:-1]]
        line += [_recall(found["per_class"][name]) for name in classes]
        cells.append(line)
    return table(head, cells, caption=f"By {title.split(',')[0].lower()}, with 95 % intervals")


def _value(row: Report) -> str:
    return f"{text(row['value'].replace('_', ' '))}{few_badge(row['few'])}"


def _score(found: Report, name: str) -> str:
    return share_with_interval(found[name], found["ci95"][name] if found["ci95"] else None)


def _recall(found: Report) -> str:
    if not found["support"]:
        return ABSENT
    return f"{share_with_interval(found['recall'], found['ci95'])}{small('n = ' + count(found['support']))}"
