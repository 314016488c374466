"""The leaderboard: one row for each group of runs, best first."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from qana.comparison.groups import Group
from qana.comparison.spread import Spread, cost, score

SCORES = ("accuracy", "macro_f1", "balanced_accuracy", "ece")
COSTS = ("latency_ms", "energy_mj")
METRICS = (*SCORES, *COSTS)
LOWER_IS_BETTER = ("ece", *COSTS)


@dataclass(frozen=True)
class Row:
    """One line of the leaderboard.

    Attributes:
        group: the runs.
        stage: whose scores they are.
        numbers: metric to its mean and interval; None where no run of the group has it.
        provenance: of each cost, ``measured`` or ``modelled``.
    """

    group: Group
    stage: str
    numbers: Mapping[str, Spread | None]
    provenance: Mapping[str, str]


def leaderboard(groups: Sequence[Group], *, stage: str, sort: str) -> list[Row]:
    """Rows of the groups that have scores at `stage`, the best `sort` first.

    Args:
        groups: as `grouped` returns them.
        stage: of the ladder, such as ``akida``.
        sort: one of `METRICS`; groups without it come last.
    """
    rows = [
        _row(group, stage) for group in groups if any(f"{stage}/macro_f1" in r.metrics for r in group.runs)
    ]
    sign = 1 if sort in LOWER_IS_BETTER else -1

    def place(row: Row) -> tuple[bool, float]:
        found = row.numbers[sort]
        return found is None, 0.0 if found is None else sign * found.value

    return sorted(rows, key=place)


def _row(group: Group, stage: str) -> Row:
    numbers: dict[str, Spread | None] = {metric: score(group, stage, metric) for metric in SCORES}
    numbers |= {metric: cost(group, metric) for metric in COSTS}
    tags = group.latest.tags
    return Row(group, stage, numbers, {metric: tags.get(f"akida/{metric}", "") for metric in COSTS})


def splits_differ(rows: Sequence[Row]) -> list[str]:
    """Data of which some groups saw other images or another split than others: their rows do not compare.

    Returns:
        Names of the data sets.
    """
    seen: dict[str, set[frozenset[str]]] = {}
    for row in rows:
        splits = frozenset(run.tags.get("split_hash", "") for run in row.group.runs)
        seen.setdefault(row.group.latest.dataset, set()).add(splits)
    return [dataset for dataset, splits in seen.items() if len(splits) > 1]


def as_csv(rows: Iterable[Row]) -> str:
    """One line per group with a header; a missing number is an empty cell."""
    head = [
        "group",
        "name",
        "changes",
        "target",
        "dataset",
        "split_protocol",
        "stage",
        "runs",
        "seeds",
        "repeats",
    ]
    for metric in METRICS:
        head += [metric, f"{metric}_low", f"{metric}_high", f"{metric}_interval"]
    head += [f"{metric}_provenance" for metric in COSTS] + ["run_ids"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(_cells(row) for row in rows)
    return text.getvalue()


def _cells(row: Row) -> list[object]:
    group, run = row.group, row.group.latest
    cells: list[object] = [group.id, run.name, group.changes, run.target, run.dataset]
    cells += [
        run.tags.get("split_protocol", ""),
        row.stage,
        len(group.runs),
        " ".join(group.seeds),
        group.repeats,
    ]
    for metric in METRICS:
        found = row.numbers[metric]
        cells += ["", "", "", ""] if found is None else [found.value, found.low, found.high, found.method]
    return [*cells, *(row.provenance[metric] for metric in COSTS), " ".join(run.run_id for run in group.runs)]
