#!/usr/bin/env python3
"""What can be relied on: operating points, confidence and changed images of runs, means over their seeds.

scripts/table_trust.py FOLDER... --out experiments/STUDY/NAME.csv

FOLDER: of a run with the block `trust` and, where they were asked for, `robustness` and `views` in its
report. One row per figure: what it is of, mean, lowest and highest over the runs. NAME.md has the same.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from table_files import Report, markdown, reports_below, write_csv

AVERAGED = {"accuracy": "accuracy", "macro_f1": "macro F1", "balanced_accuracy": "balanced accuracy"}


def figures(report: Report) -> Iterator[tuple[str, str, float | None]]:
    """(what, of what, share or points) of one run."""
    trust = report["trust"]
    for name, found in trust["per_class"].items():
        for point in found["points"]:
            wanted = point["wanted_sensitivity"]
            rule = "largest logit" if wanted is None else f"validation threshold for {100 * wanted:.0f} %"
            yield f"sensitivity, {rule}", name, _percent(point["sensitivity"])
            yield f"specificity, {rule}", name, _percent(point["specificity"])
    calibration = trust["calibration"]
    yield "calibration error", "as it is", _percent(calibration["ece_before"])
    yield "calibration error", "with the temperature", _percent(calibration["ece_after"])
    changed = report.get("robustness") or {"changed": ()}
    for row in changed["changed"]:
        yield (
            "macro F1, change in points",
            f"{row['kind']} {row['level']:g}",
            -100 * row["macro_f1_drop"]["value"],
        )
    if report.get("views"):
        averaged = report["views"]["averaged"]
        for key, label in AVERAGED.items():
            yield "mean over eight orientations", label, _percent(averaged[key])
        yield (
            "mean over eight orientations",
            "macro F1, gain in points",
            _percent(report["views"]["macro_f1_gain"]["value"]),
        )
        yield from _turned(report["views"].get("orientation"))


def _turned(found: Mapping[str, Any] | None) -> Iterator[tuple[str, str, float | None]]:
    """Share of the images that get another class in some orientation; older reports do not say."""
    if found is not None:
        yield "class depends on orientation", "all images", _percent(found["changed_share"]["value"])
        for name, counted in found["per_class"].items():
            if counted["support"]:
                yield "class depends on orientation", name, 100 * counted["changed"] / counted["support"]


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def rows(reports: Sequence[Report]) -> list[dict[str, Any]]:
    """Mean, lowest and highest of every figure, over the runs that have it."""
    found: dict[tuple[str, str], list[float]] = {}
    for report in reports:
        for what, of, value in figures(report):
            if value is not None:
                found.setdefault((what, of), []).append(value)
    return [
        {
            "what": what,
            "of": of,
            "mean": round(sum(values) / len(values), 1),
            "lowest": round(min(values), 1),
            "highest": round(max(values), 1),
            "runs": len(values),
        }
        for (what, of), values in sorted(found.items())
    ]


def main() -> None:
    """Write both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    reports = [report for _, report in reports_below(args.folders) if "trust" in report]
    if not reports:
        parser.error("no report with a block `trust` in these folders")
    found = rows(reports)
    write_csv(args.out, found)
    head = ["", "of", "mean", "lowest", "highest", "runs"]
    args.out.with_suffix(".md").write_text(markdown(head, (row.values() for row in found)))


if __name__ == "__main__":
    main()
