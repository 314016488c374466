#!/usr/bin/env python3
"""Put the incremental learning of several runs into one table, as text and CSV.

scripts/table_incremental.py FOLDER... --out experiments/incremental/NAME.csv

FOLDER: of a run, or of a sweep with runs below it; runs that did not go on learning are left out.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

COLUMNS = (
    "protocol", "lesions", "method", "on_chip", "orders", "accuracy", "accuracy_ci95", "macro_f1",
    "macro_f1_ci95", "macro_f1_base", "three_rarest_recall", "forgetting_points", "forgetting_ci95",
    "refused", "stored_bytes", "host_update_ms_per_image",
)  # fmt: skip


def reports(folders: Sequence[Path]) -> Iterator[Mapping[str, Any]]:
    """Reports with a block on incremental learning, below these folders."""
    for folder in folders:
        for path in sorted(folder.rglob("report.json")):
            report = json.loads(path.read_text())
            if report.get("incremental"):
                yield report


def row(block: Mapping[str, Any]) -> dict[str, Any]:
    """Scores after the last session over all classes, and what it takes to keep learning."""
    last = block["sessions"][-1]
    rarest = list(block["per_class"].values())[:3]  # of the test images
    return {
        "protocol": block["protocol"]["name"],
        "lesions": block["protocol"].get("lesions", ""),
        "method": block["method"],
        "on_chip": block["on_chip"],
        "orders": len(block["seeds"]),
        "accuracy": rounded(last["accuracy"]["value"]),
        "accuracy_ci95": interval(last["accuracy"]),
        "macro_f1": rounded(last["macro_f1"]["value"]),
        "macro_f1_ci95": interval(last["macro_f1"]),
        "macro_f1_base": rounded(block["sessions"][0]["macro_f1"]["value"]),
        "three_rarest_recall": rounded(sum(each["recall_last"]["value"] for each in rarest) / len(rarest)),
        "forgetting_points": rounded(block["forgetting"]["value"] * 100, 1),
        "forgetting_ci95": interval(block["forgetting"], 100, 1),
        "refused": sum(session["refused"] for session in block["sessions"]),
        "stored_bytes": round(block["update"]["stored_bytes"]),
        "host_update_ms_per_image": rounded(block["update"]["host_ms_per_image"], 4),
    }


def rounded(value: float, digits: int = 3) -> float:
    """For reading; the reports keep all digits."""
    return round(value, digits)


def interval(found: Mapping[str, Any], factor: float = 1.0, digits: int = 3) -> str:
    """Both ends of a 95 % interval."""
    low, high = found["ci95"]
    return f"{rounded(low * factor, digits)} to {rounded(high * factor, digits)}"


def main() -> None:
    """Write the table and print it as Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    found = [row(report["incremental"]) for report in reports(args.folders)]
    if not found:
        parser.error(f"no run below {', '.join(map(str, args.folders))} went on learning")
    found.sort(key=lambda each: (each["protocol"], each["lesions"] or 0, -each["macro_f1"]))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with args.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(found)
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS))
    for each in found:
        print("| " + " | ".join(str(each[name]) for name in COLUMNS) + " |")


if __name__ == "__main__":
    main()
