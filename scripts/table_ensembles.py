#!/usr/bin/env python3
"""What several networks of a seed score together, by the mean of their logits, beside what each scores alone.

scripts/table_ensembles.py FOLDER... --out experiments/STUDY/NAME.csv [--stage STAGE]

FOLDER: of a run, or one with runs below it. Runs that were tested on the same images are one row; they speak
with the float network, which is what `training.teacher` learns from, or with STAGE. The last row is the mean
over the rows. NAME.md has the same.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from table_files import markdown, reports_below, write_csv

from qana.evaluation.confusion import confusion_rows, scores
from qana.evaluation.predictions import Predictions, read_predictions

METRICS = ("macro_f1", "accuracy")
COLUMNS = ("alone_macro_f1", "alone_accuracy", "together_macro_f1", "together_accuracy")


def by_test_images(folders: Sequence[Path]) -> dict[tuple[str, ...], dict[str, Predictions]]:
    """Answers by the images they are to, then by the name of the run."""
    found: dict[tuple[str, ...], dict[str, Predictions]] = {}
    for path, report in reports_below(folders):
        said = read_predictions(path.with_name("predictions.parquet"))
        name = report["run"]["name"]
        together = found.setdefault(tuple(said.image_ids), {})
        if name in together:
            raise SystemExit(f"several runs are called {name}: leave all but one out, or give them names")
        together[name] = said
    return found


def row(said: Mapping[str, Predictions], stage: str) -> dict[str, Any]:
    """Mean score of the networks, and the score of their mean, in percent."""
    mute = [name for name, each in said.items() if stage not in each.stage_logits]
    if mute:
        raise SystemExit(f"no stage {stage} in {', '.join(mute)}")
    first = next(iter(said.values()))
    logits = [each.stage_logits[stage] for each in said.values()]
    alone = [_scored(first, each) for each in logits]
    together = _scored(first, np.mean(logits, axis=0))
    found = {f"alone_{key}": sum(each[key] for each in alone) / len(alone) for key in METRICS}
    found |= {f"together_{key}": together[key] for key in METRICS}
    return {"networks": " ".join(sorted(said)), **{key: round(found[key], 1) for key in COLUMNS}}


def _scored(said: Predictions, logits: Any) -> dict[str, float]:
    classes = len(said.classes)
    rows = confusion_rows(said.target, logits.argmax(1), classes)
    found = scores(rows.sum(0).reshape(1, classes, classes))
    return {key: 100 * float(np.asarray(getattr(found, key)).item()) for key in METRICS}


def main() -> None:
    """Write both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--stage", default="float", help="that speaks for a run; float by default")
    args = parser.parse_args()
    groups = by_test_images(args.folders)
    if not groups:
        parser.error(f"no run below {', '.join(map(str, args.folders))}")
    found = sorted((row(said, args.stage) for said in groups.values()), key=lambda each: each["networks"])
    mean = {key: round(sum(each[key] for each in found) / len(found), 1) for key in COLUMNS}
    found.append({"networks": "mean", **mean})
    write_csv(args.out, found)
    head = [
        "networks",
        "macro F1 alone, %",
        "accuracy alone, %",
        "macro F1 together, %",
        "accuracy together, %",
    ]
    args.out.with_suffix(".md").write_text(markdown(head, (each.values() for each in found)))


if __name__ == "__main__":
    main()
