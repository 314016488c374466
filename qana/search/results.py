"""What a search found, as files: every trial, and the best."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    import optuna


def write_trials(study: optuna.Study, objectives: Sequence[str], path: Path) -> None:
    """Write a row for every trial: number, state, objectives, parameters; empty cells where there is none."""
    trials = study.get_trials(deepcopy=False)
    params = list(dict.fromkeys(key for trial in trials for key in trial.params))
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["number", "state", *objectives, *params])
        for trial in trials:
            values = trial.values or [""] * len(objectives)
            row = [trial.number, trial.state.name, *values]
            writer.writerow([*row, *(trial.params.get(key, "") for key in params)])


def best_trials(study: optuna.Study, objectives: Sequence[str]) -> list[dict[str, Any]]:
    """The best trial or, with several objectives, the Pareto front; of equal settings the first."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for trial in study.best_trials:
        overrides = [f"{key}={value}" for key, value in trial.params.items()]
        values = dict(zip(objectives, trial.values, strict=True))
        found.setdefault(tuple(overrides), {"number": trial.number, "values": values, "overrides": overrides})
    best = list(found.values())
    return best[:1] if len(objectives) == 1 else best


def write_best(best: Sequence[Mapping[str, Any]], objectives: Mapping[str, str], path: Path) -> None:
    """Write the best trials as YAML."""
    found = {"objectives": dict(objectives), "trials": [dict(each) for each in best]}
    path.write_text(yaml.safe_dump(found, sort_keys=False))
