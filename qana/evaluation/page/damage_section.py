"""The part of the page on damage: what the chip gets wrong that the float network got right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qana.evaluation.damage import FLIPS
from qana.evaluation.page.charts import STAGE_LABELS
from qana.evaluation.page.damage_chart import DamageRow, damage_chart
from qana.evaluation.page.markup import (
    count,
    few_badge,
    groups_of,
    percent,
    section,
    signed_points,
    small,
    table,
    tag,
    text,
)

Report = Mapping[str, Any]
_NO_FLIP = (
    " A class without flips has an interval without width: with n groups, up to about 3/n of all such cases"
    " may flip and yet none be seen."
)


def damage(report: Report) -> str:
    """Recall before and after, and the images that flip; nothing without a float network."""
    found = (report["conversion"] or {}).get("damage")
    if found is None:
        return ""
    chart = tag("div", damage_drawing(report, found), class_="scroll")
    return section("Damage, rarest class first", chart + _table(report, found), _lead(report, found))


def damage_drawing(report: Report, found: Report) -> str:
    """Recall of each class before and after, from the `damage` block."""
    charted = [_charted(report, found, name) for name, row in found["per_class"].items() if row["support"]]
    labels = [STAGE_LABELS[stage] for stage in found["stages"]]
    return damage_chart(charted, *labels)


def _lead(report: Report, found: Report) -> str:
    total = sum(found["flips"].values())
    lost, gained, moved = (count(found["flips"][kind]) for kind in FLIPS)
    first, last = (STAGE_LABELS[stage] for stage in found["stages"])
    return (
        f"{count(total)} of {count(found['images'])} test images change class between {first}"
        f" and {last}: {lost} from right to wrong, {gained} from wrong to right,"
        f" {moved} from one wrong class to another. Classes with fewer than"
        f" {found['min_groups']} {groups_of(report)} are marked few: their intervals can be too narrow."
        f"{_NO_FLIP}"
    )


def _recalls(report: Report, found: Report, name: str) -> list[Any]:
    return [report["stages"][stage]["per_class"][name]["recall"] for stage in found["stages"]]


def _charted(report: Report, found: Report, name: str) -> DamageRow:
    before, after = _recalls(report, found, name)
    change = found["per_class"][name]["recall_change"]
    support = found["per_class"][name]["support"]
    return DamageRow(name, support, before, after, change["value"], *change["ci95"])


def _table(report: Report, found: Report) -> str:
    first, last = (STAGE_LABELS[stage] for stage in found["stages"])
    head = ["Class", "Test images", "Right, then wrong", "Wrong, then right", "Wrong, then another"]
    head += [f"Recall, {first}", f"Recall, {last}", "Change of recall, points", "Change of F1, points"]
    rows = [
        [
            f"{text(name)}{few_badge(row['few'])}",
            f"{count(row['support'])}{small(count(row['groups']) + ' groups')}",
            *(count(row["flips"][kind]) for kind in FLIPS),
            *(percent(recall) for recall in _recalls(report, found, name)),
            _change(row["recall_change"]),
            _change(row["f1_change"]),
        ]
        for name, row in found["per_class"].items()
    ]
    caption = (
        f"{first} to {last}, on the same test images; paired 95 % bootstrap intervals, whole lesions drawn"
        " with replacement"
    )
    return table(head, rows, caption=caption)


def _change(change: Report | None) -> str:
    if change is None:
        return signed_points(None)
    low, high = change["ci95"]
    return f"{signed_points(change['value'])}{small(f'{signed_points(low)} to {signed_points(high)}')}"
