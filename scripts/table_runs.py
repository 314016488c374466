#!/usr/bin/env python3
"""Put runs side by side, seeds taken together: as CSV, as Markdown and, where costs are known, drawn.

scripts/table_runs.py FOLDER... --out experiments/STUDY/NAME.csv [--against NAME] [--stage STAGE]

FOLDER: of a run, or one with runs below it. Runs whose names differ in ``-seed0`` alone are one row. Scores
are means over the seeds, with t intervals; costs are means over the seeds that went to the chip. A drop
(float to chip, of the same run) and a difference (to the row NAME, of the same seed) have an interval over
lesions of the test images besides, the trained networks staying as they are. NAME.md has the columns that a
reader wants first, NAME.svg macro F1 over energy.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from table_files import markdown, reports_below, write_csv

from qana.comparison.paired import Pair, paired, paired_test
from qana.comparison.spread import Spread, share_over_seeds
from qana.evaluation.bootstrap import draw_lesions, interval95, sum_by_lesion
from qana.evaluation.confusion import confusion_rows, scores
from qana.evaluation.page.figures import standalone
from qana.evaluation.page.pareto_chart import Point, pareto_chart
from qana.evaluation.predictions import Predictions, read_predictions
from qana.evaluation.stages import float_stage

SAMPLES = 2000
SEED = re.compile(r"-seed(\d+)$")


@dataclass(frozen=True)
class Run:
    """A run, its answers to the test images, and the stage that is to speak for it, if one was named."""

    report: Mapping[str, Any]
    said: Predictions
    stage: str | None

    @property
    def name(self) -> str:
        """Of the row."""
        return SEED.sub("", self.report["run"]["name"])

    @property
    def seed(self) -> int:
        """Of everything random."""
        return int(self.report["run"]["seed"])

    @property
    def before(self) -> str:
        """The stage that conversion is held against: the float network, or the file that it came as."""
        return float_stage(self.said.stage_logits) or self.last

    @property
    def last(self) -> str:
        """The stage that speaks for the run: the one named, the chip's program, or what there is instead."""
        if self.stage is not None:
            return self.stage
        return "akida" if "akida" in self.said.stage_logits else list(self.said.stage_logits)[-1]


def runs_below(folders: Sequence[Path], stage: str | None = None) -> list[Run]:
    """Finished runs, by name and seed."""
    runs = [
        Run(report, read_predictions(path.with_name("predictions.parquet")), stage)
        for path, report in reports_below(folders)
    ]
    mute = [f"{run.name} seed {run.seed}" for run in runs if run.last not in run.said.stage_logits]
    if mute:
        raise SystemExit(f"no stage {stage} in {', '.join(mute)}")
    twice = [key for key, times in Counter((run.name, run.seed) for run in runs).items() if times > 1]
    if twice:
        named = ", ".join(f"{name} seed {seed}" for name, seed in twice)
        raise SystemExit(f"several runs are called {named}: leave all but one out, or give them names")
    return sorted(runs, key=lambda run: (run.name, run.seed))


def row(name: str, runs: Sequence[Run], reference: Sequence[Run]) -> dict[str, Any]:
    """What the runs of one row have in common, and their means."""
    report = runs[0].report
    # Of the runs that went to the chip; a row may hold others too, which torch speaks for.
    agreement = [run.report["conversion"]["agreement"] for run in runs if run.report["conversion"]]
    priced = [run for run in runs if run.report["cost"]]
    costs = [run.report["cost"] for run in priced]
    found = {
        "name": name,
        "backbone": report["backbone"]["name"],
        "target": report["conversion"]["target"] if report["conversion"] else "none",
        "weight_bits": report["quantization"]["weight_bits"],
        "activation_bits": report["quantization"]["activation_bits"],
        "seeds": " ".join(str(run.seed) for run in runs),
        **_scores("float_macro_f1", [_score(run, run.before, "macro_f1") for run in runs]),
        **_scores("macro_f1", [_score(run, run.last, "macro_f1") for run in runs]),
        "macro_f1_lesions_ci95": _over_lesions(runs),
        **_scores("accuracy", [_score(run, run.last, "accuracy") for run in runs]),
        **_scores("balanced_accuracy", [_score(run, run.last, "balanced_accuracy") for run in runs]),
        **_difference("drop", [_within(run) for run in runs if run.last != run.before]),
        **_difference("against", _between(runs, reference)),
        "agreement": min(agreement, default=""),
        "max_error_lsb": _worst_lsb(runs),
        "macs": report["backbone"]["macs"],
        "parameters": report["backbone"]["parameters"],
        "nps": (report["mapping"] or {}).get("nps", ""),
    }
    for key in ("synops", "activation_sparsity"):
        found[key] = _mean([cost[key] for cost in costs], 3) if costs else ""
    for key in ("latency_ms", "energy_mj"):
        for end in ("value", "low", "high"):
            column = key if end == "value" else f"{key}_{end}"
            found[column] = _mean([cost[key][end] for cost in costs], 4) if costs else ""
    known = sorted({cost[key]["provenance"] for cost in costs for key in ("latency_ms", "energy_mj")})
    found["cost_provenance"] = " and ".join(known)
    found["cost_seeds"] = " ".join(str(run.seed) for run in priced)
    return found


def _worst_lsb(runs: Sequence[Run]) -> float | str:
    """Largest error of any layer between torch and chip, in units of the last place; empty without a chip."""
    layers = [layer for run in runs for layer in (run.report["conversion"] or {}).get("layers", ())]
    errors = [layer["max_error_lsb"] for layer in layers if layer["max_error_lsb"] is not None]
    return max(errors, default="")


def _score(run: Run, stage: str, metric: str) -> float:
    return float(run.report["stages"][stage][metric])


def _scores(name: str, values: Sequence[float]) -> dict[str, Any]:
    """Mean in percent, and its t interval over the seeds, 0 to 100."""
    return {
        name: _mean([100 * value for value in values], 1),
        f"{name}_ci95": _ends(share_over_seeds(values), 100),
    }


def _over_lesions(runs: Sequence[Run]) -> str:
    """95 % interval of the mean over the seeds; a lesion that several test splits share is drawn once."""
    lesions = sorted({lesion for run in runs for lesion in run.said.lesion_ids})
    number = {lesion: index for index, lesion in enumerate(lesions)}
    draws = draw_lesions(len(lesions), samples=SAMPLES, seed=0)
    found = []
    for run in runs:
        classes = len(run.said.classes)
        rows = confusion_rows(run.said.target, run.said.stage_logits[run.last].argmax(1), classes)
        index = np.array([number[lesion] for lesion in run.said.lesion_ids])
        confusion = draws @ sum_by_lesion(rows, index, len(lesions))
        found.append(scores(confusion.reshape(-1, classes, classes)).macro_f1)
    low, high = interval95(np.mean(found, axis=0))
    return f"{100 * low:.1f} to {100 * high:.1f}"


def _difference(name: str, pairs: Sequence[Pair]) -> dict[str, Any]:
    """Mean difference in points, first minus second, with both intervals."""
    if not pairs:
        return {f"{name}_points": "", f"{name}_lesions_ci95": "", f"{name}_seeds_ci95": ""}
    test = paired_test(pairs, samples=SAMPLES, seed=0)
    low, high = test.ci95
    return {
        f"{name}_points": round(100 * test.over_seeds.value, 2),
        f"{name}_lesions_ci95": f"{100 * low:.1f} to {100 * high:.1f}",
        f"{name}_seeds_ci95": _ends(test.over_seeds, 100),
    }


def _within(run: Run) -> Pair:
    """Float and chip of one run."""
    answers = run.said.stage_logits
    names, groups = (f"float {run.seed}", run.last), run.said.lesion_ids
    first, second = answers[run.before].argmax(1), answers[run.last].argmax(1)
    return Pair(names, run.said.target, first, second, groups, len(run.said.classes), _data(run))


def _between(runs: Sequence[Run], reference: Sequence[Run]) -> list[Pair]:
    """Runs and those of the reference with the same seed."""
    others = {run.seed: run for run in reference}
    pairs = []
    for run in runs:
        other = others.get(run.seed)
        if other is None or other is run:
            continue
        as_last = {"last": run.said.stage_logits[run.last]}
        other_last = {"last": other.said.stage_logits[other.last]}
        one, two = _with(run.said, as_last), _with(other.said, other_last)
        pair = paired(one, two, stage="last", names=(run.name, other.name), data=_data(run))
        if pair is None:
            raise SystemExit(f"{run.name} and {other.name}, seed {run.seed}, were tested on different images")
        pairs.append(pair)
    return pairs


def _with(said: Predictions, stages: Mapping[str, Any]) -> Predictions:
    return Predictions(said.classes, said.image_ids, said.lesion_ids, said.target, stages, {})


def _data(run: Run) -> str:
    return str(run.report["dataset"]["fingerprint"])


def _mean(values: Iterable[float], digits: int) -> float:
    found = list(values)
    return round(sum(found) / len(found), digits)


def _ends(spread: Spread, factor: float) -> str:
    if spread.low is None or spread.high is None:
        return ""
    return f"{factor * spread.low:.1f} to {factor * spread.high:.1f}"


def main() -> None:
    """Write the table and print it as Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--against", help="name of the row that the others are compared with")
    parser.add_argument("--stage", help="that scores are of, such as float; the chip's program by default")
    args = parser.parse_args()
    runs = runs_below(args.folders, args.stage)
    names = list(dict.fromkeys(run.name for run in runs))
    if not runs or (args.against and args.against not in names):
        parser.error(
            f"no run below {', '.join(map(str, args.folders))}" if not runs else f"rows: {', '.join(names)}"
        )
    groups = {name: [run for run in runs if run.name == name] for name in names}
    found = [row(name, group, groups.get(args.against, [])) for name, group in groups.items()]
    write_csv(args.out, found)
    text = _markdown(found, args.against)
    args.out.with_suffix(".md").write_text(text)
    print(text, end="")
    points = [_point(each) for each in found if each["energy_mj"] != ""]
    if points:
        args.out.with_suffix(".svg").write_text(standalone(pareto_chart(points)))


def _markdown(rows: Sequence[Mapping[str, Any]], against: str | None) -> str:
    """The columns that a reader wants first; the CSV has all."""
    head = ["", "seeds", "macro F1, % (95 % over lesions)", "accuracy, %", "balanced, %"]
    head += ["drop by conversion, points", "agreement", "MACs, M", "parameters, k", "NPs"]
    head += ["latency, ms", "energy, mJ", "costs are"]
    head += [f"against {against}, points (95 % over lesions)"] if against else []
    lines = []
    for row in rows:
        cells = [row["name"], row["seeds"], f"{row['macro_f1']} ({row['macro_f1_lesions_ci95']})"]
        cells += [row["accuracy"], row["balanced_accuracy"]]
        drop = row["drop_points"]
        cells.append(f"{drop} ({row['drop_lesions_ci95']})" if drop != "" else "")
        cells.append(f"{100 * row['agreement']:.1f} %" if row["agreement"] != "" else "")
        cells += [f"{row['macs'] / 1e6:.1f}", f"{row['parameters'] / 1e3:.0f}", row["nps"]]
        part = "" if row["cost_seeds"] in ("", row["seeds"]) else f", of seed {row['cost_seeds']}"
        cells += [row["latency_ms"], row["energy_mj"], row["cost_provenance"] + part]
        if against:
            points = row["against_points"]
            cells.append(f"{points} ({row['against_lesions_ci95']})" if points != "" else "")
        lines.append(cells)
    return markdown(head, lines)


def _point(row: Mapping[str, Any]) -> Point:
    low, high = (float(end) / 100 for end in row["macro_f1_lesions_ci95"].split(" to "))
    return Point(
        name=row["name"],
        energy_mj=row["energy_mj"],
        energy_low_mj=row["energy_mj_low"],
        energy_high_mj=row["energy_mj_high"],
        score=row["macro_f1"] / 100,
        score_low=low,
        score_high=high,
        provenance=row["cost_provenance"],
    )


if __name__ == "__main__":
    main()
