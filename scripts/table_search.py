#!/usr/bin/env python3
"""A grid of settings, told by validation images: each run, and what each setting does on average.

scripts/table_search.py FOLDER... --keys training.weight_decay,... --out experiments/STUDY/NAME.csv

FOLDER: of a run, or one with runs below it (of a sweep), each with `config.yaml` and `report.json`. The test
images have no say: the table has validation scores only. NAME.md has the runs, best first, and for every
value of a key the mean over the runs that had it, which says more than one run does.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from omegaconf import OmegaConf
from table_files import markdown, reports_below, write_csv

UNKNOWN = object()
SCORES = {"macro_f1": "macro F1, %", "accuracy": "accuracy, %", "macro_auroc": "macro AUROC, %"}


def rows_of(folders: Sequence[Path], keys: Sequence[str]) -> Iterator[dict[str, Any]]:
    """One row a run: the settings asked for, its seed, and what it scores on validation images."""
    for path, report in reports_below(folders):
        config = OmegaConf.load(path.with_name("config.yaml"))
        unknown = [key for key in keys if OmegaConf.select(config, key, default=UNKNOWN) is UNKNOWN]
        if unknown:
            raise LookupError(f"no setting {', '.join(unknown)} in {path.with_name('config.yaml')}")
        found = report.get("validation")
        if found is None:
            raise LookupError(f"no validation scores in {path}")
        scores = {name: round(100 * found[name], 1) for name in SCORES}
        low, high = found["ci95"]["macro_f1"]
        settings = {key: str(OmegaConf.select(config, key)) for key in keys}  # lists and null, too
        interval = f"{100 * low:.1f} to {100 * high:.1f}"
        yield {**settings, "seed": report["run"]["seed"], **scores, "macro_f1_lesions_ci95": interval}


def effects(rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> Iterator[list[Any]]:
    """[key, value, runs, mean scores] for every value of every key."""
    for key in keys:
        for value in sorted({row[key] for row in rows}):
            same = [row for row in rows if row[key] == value]
            means = [f"{mean(row[name] for row in same):.1f}" for name in SCORES]
            yield [f"`{key}`", value, len(same), *means]


def main() -> None:
    """Write both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--keys", required=True, help="settings that the runs differ in, with commas between")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    keys = args.keys.split(",")
    try:
        rows = sorted(rows_of(args.folders, keys), key=lambda row: -row["macro_f1"])
    except LookupError as error:
        parser.error(str(error))
    if not rows:
        parser.error("no report in these folders")
    write_csv(args.out, rows)
    labels = [*(f"`{key}`" for key in keys), "seed", *SCORES.values(), "macro F1, 95 % over lesions"]
    runs = markdown(labels, (row.values() for row in rows))
    means = markdown(["setting", "value", "runs", *SCORES.values()], effects(rows, keys))
    args.out.with_suffix(".md").write_text(f"{runs}\n{means}")


if __name__ == "__main__":
    main()
