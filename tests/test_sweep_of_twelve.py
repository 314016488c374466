"""README's commands for sweeps: twelve runs, killed, resumed, compared, and one of them reproduced."""

import csv
import os
import shlex
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

import qana
from qana.tracking.store import read_local

ROOT = Path(qana.__file__).parents[1]
README = (ROOT / "README.md").read_text().splitlines()
# Twelve conversions take long, and are tested elsewhere.
INSTEAD = {"conversion=akida2": "conversion=none"}
SMALL = ["training=debug", "dataset.images=105", "dataset.image_size=32", "evaluation.bootstrap_samples=100"]
WITHOUT_A_CHIP = ["stage=torch", "target=none"]
RUNS, BEFORE_THE_KILL = 12, 4
LIMIT_S = 3600

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * LIMIT_S)]


def readme(beginning, end=""):
    """The one command of README that begins and ends so, without its program and the remark behind it."""
    lines = [
        text.partition("#")[0].strip() for text in README if text.startswith(f".venv/bin/qana {beginning}")
    ]
    (command,) = [line for line in lines if line.endswith(end)]
    return [INSTEAD.get(word, word) for word in shlex.split(command)[1:]]


def launch(folder, words, log):
    code = "import sys; sys.argv[0] = 'qana'; from qana.cli import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    return subprocess.Popen(
        [sys.executable, "-c", code, *words], cwd=folder, env=environment, stdout=log, stderr=log
    )


def run_to_its_end(folder, words):
    """What the command said, on both streams."""
    with (folder / "log").open("w") as log:
        code = launch(folder, words, log).wait(timeout=LIMIT_S)
    said = (folder / "log").read_text()
    assert code == 0, said
    return said


def runs(folder):
    client = read_local(folder / "qana_runs")
    experiment = client.get_experiment_by_name("qana")
    return [] if experiment is None else client.search_runs([experiment.experiment_id])


def children(folder, status):
    """Ids of the runs of the sweep that have this status."""
    if not (folder / "qana_runs" / "mlflow.db").is_file():
        return set()
    nested = [run for run in runs(folder) if "mlflow.parentRunId" in run.data.tags]
    return {run.info.run_id for run in nested if run.info.status == status}


def kill_in_the_middle(folder, words):
    """Start a sweep and kill it without a word; gives the runs that it had finished."""
    with (folder / "killed.log").open("w") as log:
        child = launch(folder, words, log)
        try:
            deadline = time.monotonic() + LIMIT_S
            while len(children(folder, "FINISHED")) < BEFORE_THE_KILL or not children(folder, "RUNNING"):
                assert child.poll() is None, (folder / "killed.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(1)
        finally:
            child.kill()
            child.wait()
    return children(folder, "FINISHED")


def test_sweep_of_twelve_runs_is_killed_resumed_compared_and_one_run_reproduced(tmp_path):
    before = kill_in_the_middle(tmp_path, [*readme("run -m", "seed=0,1,2"), *SMALL])
    assert BEFORE_THE_KILL <= len(before) < RUNS

    run_to_its_end(tmp_path, [*readme("run -m", "resume=true"), *SMALL])
    after = children(tmp_path, "FINISHED")
    assert len(after) == RUNS
    assert before < after
    assert len(children(tmp_path, "KILLED")) == 1  # the run that was cut off
    (parent,) = [run for run in runs(tmp_path) if run.data.tags.get("kind") == "sweep"]
    assert parent.info.status == "FINISHED"

    run_to_its_end(tmp_path, [*readme("compare out="), *WITHOUT_A_CHIP])
    with (tmp_path / "comparison" / "leaderboard.csv").open() as file:
        groups = [line["run_ids"].split() for line in csv.DictReader(file)]
    assert Counter(map(len, groups)) == {3: 4}
    assert {run_id for group in groups for run_id in group} == after

    chosen = sorted(after - before)[0]
    words = [word.replace("run=ID", f"run={chosen[:8]}") for word in readme("reproduce")]
    assert "reproduction: exact" in run_to_its_end(tmp_path, words)
