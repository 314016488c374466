"""`qana reproduce`: what it says about two runs, and one real run reproduced."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mlflow.tracking import MlflowClient
from recorded_runs import AKIDANET, SMALL, V1

import qana
from qana.command.reproduce import main
from qana.command.reproduction import agreements, environment_differences, overall
from qana.errors import QanaError
from qana.evaluation.predictions import Predictions


def said(logits, order=None):
    order = np.arange(len(logits)) if order is None else order
    target = np.arange(len(logits)) % 3
    ids = np.array([f"I{row:03d}" for row in range(len(logits))])
    lesions = tuple(f"L{row // 2}" for row in order)
    return Predictions(
        ("a", "b", "c"), tuple(ids[order]), lesions, target[order], {"torch": logits[order]}, {}
    )


@pytest.fixture
def logits():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(300, 3)) + 1.2 * np.eye(3)[np.arange(300) % 3]).astype(np.float32)


def verdict(then, now):
    return overall(agreements(then, now))


def test_equal_logits_in_another_order_are_exact(logits):
    assert verdict(said(logits), said(logits, np.random.default_rng(1).permutation(300))) == "exact"


def test_last_bit_of_one_logit_is_not_exact(logits):
    other = logits.copy()
    other[7, 1] = np.nextafter(other[7, 1], np.float32(9))
    assert verdict(said(logits), said(other)) == "within noise"


def test_worse_network_is_different(logits):
    other = np.where(np.arange(300)[:, None] % 3 == 0, np.roll(logits, 1, axis=1), logits)
    (found,) = agreements(said(logits), said(other))
    assert found.verdict == "different"
    assert found.now < found.then
    assert found.ci95[1] < 0


def test_answers_to_other_images_are_refused(logits):
    with pytest.raises(QanaError, match="not tested on the same images"):
        agreements(said(logits), said(logits[:200]))


def test_every_difference_of_the_environment_is_told():
    then = {"versions": {"torch": "2.6", "numpy": "2.1"}, "processors": 2, "platform": "a"}
    now = {"versions": {"torch": "2.7", "numpy": "2.1", "akida": "2.19"}, "processors": 2, "platform": "b"}
    assert list(environment_differences(then, now)) == [
        ("akida", "absent", "2.19"),
        ("torch", "2.6", "2.7"),
        ("platform", "a", "b"),
    ]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["seed=3"], "not one run"),
        (["run=", "seed=3"], "not one run"),
        (["run=3f2a", "seed=3", "training.learning_rate=1"], "another experiment"),
        (["run=3f2a"], "no runs are kept"),
    ],
)
def test_faults_of_the_command_line_are_named(arguments, what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(QanaError, match=what):
        main(arguments)


def qana_command(folder, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(Path(qana.__file__).parents[1]), "COLUMNS": "160"}
    code = "import sys; sys.argv[0] = 'qana'; from qana.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_real_run_is_reproduced_exactly(tmp_path):
    trained = qana_command(tmp_path, "run", *AKIDANET, *V1, *SMALL, "training=debug")
    assert trained.returncode == 0, trained.stderr
    client = MlflowClient(f"sqlite:///{tmp_path}/qana_runs/mlflow.db")
    experiment = client.get_experiment_by_name("qana").experiment_id
    (first,) = client.search_runs([experiment])
    again = qana_command(tmp_path, "reproduce", f"run={first.info.run_id[:8]}")
    assert again.returncode == 0, again.stderr
    assert "data and split are those of the run" in again.stdout
    assert "reproduction: exact" in again.stdout
    second = next(run for run in client.search_runs([experiment]) if run.info.run_id != first.info.run_id)
    assert second.data.tags["reproduces"] == first.info.run_id
    assert second.data.tags["reproduction"] == "exact"
    assert second.data.tags["config_hash"] == first.data.tags["config_hash"]
