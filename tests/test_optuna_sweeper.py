"""Searches on the command line: Optuna chooses the jobs, real trials run, files tell what came of them."""

import csv

import pytest
import yaml
from stub_program import parts, runs

pytest_plugins = ("stub_program",)

SEARCH = ["run", "-m", "hydra/sweeper=optuna"]
RATE = "training.learning_rate=interval(0.1,0.9)"
TWO = "hydra.sweeper.objectives=[{stages.akida.macro_f1: maximize},{cost.energy_mj.value: minimize}]"


def trials(folder):
    (path,) = folder.glob("multirun/*/optuna.csv")
    return list(csv.DictReader(path.open()))


def best(folder):
    (path,) = folder.glob("multirun/*/best.yaml")
    return yaml.safe_load(path.read_text())["trials"]


@pytest.mark.usefixtures("store")
def test_search_prunes_trials_survives_a_failed_one_and_keeps_the_best(type_in, tmp_path):
    rates = "training.learning_rate=0.3,0.35,0.4,0.9,13"
    arguments = ["hydra.sweeper.n_trials=14", "hydra.sweeper.sampler=random", "hydra.sweeper.pruner=median"]
    code, out, err = type_in(*SEARCH, rates, "training.max_epochs=6", *arguments)
    assert code == 1, err
    assert "job failed: training.max_epochs=6 training.learning_rate=13" in err
    by_rate = {row["training.learning_rate"]: row["state"] for row in trials(tmp_path)}
    assert by_rate["13"] == "FAIL"
    assert by_rate["0.9"] == "PRUNED"
    assert by_rate["0.3"] == "COMPLETE"
    assert best(tmp_path)[0]["overrides"] == ["training.learning_rate=0.3"]
    assert "best trial" in out
    (parent,) = [run for run in runs(tmp_path) if run.data.tags.get("kind") == "sweep"]
    pruned = [run for run in runs(tmp_path) if run.data.tags.get("pruned") == "true"]
    assert {(run.info.status, "failure" in run.data.tags) for run in pruned} == {("KILLED", False)}
    kept = {path.name for path in tmp_path.glob(f"qana_runs/artifacts/**/{parent.info.run_id}/artifacts/*")}
    assert kept == {"sweep.csv", "optuna.csv", "best.yaml"}


@pytest.mark.usefixtures("store")
def test_two_objectives_over_two_seeds_give_the_trials_that_none_beats(type_in, tmp_path):
    arguments = ["backbone=narrow,wide", "hydra.sweeper.seeds=[1,3]", "hydra.sweeper.n_trials=8"]
    typed = [*SEARCH, "training.learning_rate=0.3,0.4", TWO, *arguments, "name=untracked"]
    code, _, err = type_in(*typed, "hydra.sweeper.sampler=random")
    assert (code, err) == (0, "")
    assert {row["state"] for row in trials(tmp_path)} == {"COMPLETE"}
    assert len(list(tmp_path.glob("multirun/*/*/.hydra"))) == 16
    (front,) = best(tmp_path)
    assert list(front["values"].values()) == [pytest.approx(1.002), 8.0]  # the mean of both seeds
    assert front["overrides"] == ["training.learning_rate=0.3", "backbone=narrow"]


@pytest.mark.usefixtures("store")
def test_same_seed_gives_the_same_trials_also_in_processes(type_in, tmp_path):
    typed = [*SEARCH, RATE, "hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=2", "name=untracked"]
    assert type_in(*typed, "hydra/launcher=joblib")[0] == 0
    first = trials(tmp_path)
    for path in tmp_path.glob("multirun/*/optuna.csv"):
        path.unlink()
    assert type_in(*typed)[0] == 0
    assert trials(tmp_path) == first
    assert len({row["training.learning_rate"] for row in first}) == 4


@pytest.mark.usefixtures("store")
def test_objective_that_no_report_has_ends_the_search_at_its_first_job(type_in, tmp_path):
    path = "hydra.sweeper.objectives=[{stages.akida.macro_f2: maximize}]"
    code, _, err = type_in(*SEARCH, RATE, path, "name=untracked")
    assert code == 2
    assert "stages.akida.macro_f1" in parts(err)[2]
    assert len(list(tmp_path.glob("multirun/*/*/.hydra"))) == 1


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ([RATE, "hydra.sweeper.pruner=median", TWO], "pruner=median cannot serve these objectives"),
        (["seed=3"], "the search has no space"),
        (["seed=1,2"], "a search repeats its trials over seeds"),
        ([RATE, "hydra.sweeper.sampler=grid"], "a search cannot take sampler = grid"),
        ([RATE, "hydra.sweeper.objectives=[{cost: best}]"], "a search cannot take objectives"),
        (["training.learning_rat=interval(0.1,0.9)"], "has no key 'learning_rat'"),
        (["backbone=narrow,slim"], "backbone has no choice 'slim'"),
        ([RATE, "resume=true"], "a search cannot be resumed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_search_that_cannot_work_is_refused_before_anything_starts(type_in, tmp_path, arguments, what):
    code, out, err = type_in(*SEARCH, *arguments)
    assert (code, out) == (2, "")
    assert what in err
    assert list(tmp_path.iterdir()) == []
