#!/usr/bin/env python3
"""Put the incremental learning of several runs into one table, as text and CSV.

scripts/table_incremental.py FOLDER... --out experiments/incremental/NAME.csv

FOLDER: of a run, or of a sweep with runs below it; runs that did not go on learning are left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from table_files import markdown, reports_below, write_csv


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
    learned = [report["incremental"] for _, report in reports_below(args.folders)]
    found = [row(block) for block in learned if block]
    if not found:
        parser.error(f"no run below {', '.join(map(str, args.folders))} went on learning")
    found.sort(key=lambda each: (each["protocol"], each["lesions"] or 0, -each["macro_f1"]))
    write_csv(args.out, found)
    print(markdown(list(found[0]), (each.values() for each in found)), end="")


if __name__ == "__main__":
    main()
