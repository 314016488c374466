"""Sweeps in several processes: each launcher behaves as the serial one does."""

import pytest
from command_line import Ended
from stub_program import runs

from qana.command.ending import lost

pytest_plugins = ("stub_program",)

JOBLIB = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
RAY = ["hydra/launcher=ray", "hydra.launcher.workers=2"]
SUBMITIT = ["hydra/launcher=submitit_local"]
# 13 fails, 9 is killed, 51 and 52 wait for each other.
RATES = "training.learning_rate=13,51,9,52"


def require_told(err):
    """Two failures, in the order of the jobs, and no third."""
    first, failed, died = err.split("job failed: training.learning_rate=")
    assert first == ""
    assert failed.startswith("13")
    assert "RuntimeError: diverged\n" in failed
    assert died.startswith("9")
    assert "\nits process ended without saying how: " in died


def pids(folder):
    return {path.read_text() for path in (folder / "meeting").iterdir()}


@pytest.mark.parametrize(
    "launcher", [pytest.param(RAY, id="ray", marks=pytest.mark.slow), pytest.param(SUBMITIT, id="submitit")]
)
@pytest.mark.usefixtures("store")
def test_two_jobs_run_at_once_and_one_that_fails_or_dies_stops_no_other(type_in, tmp_path, launcher):
    code, _, err = type_in("run", "-m", *launcher, RATES, "name=untracked")
    assert code == 1, err
    require_told(err)
    assert len(pids(tmp_path)) == 2


@pytest.mark.usefixtures("store")
def test_runs_of_joblib_are_nested_in_their_sweep_and_resumed(type_in, tmp_path):
    sweep = ("run", "-m", *JOBLIB, RATES)
    code, _, err = type_in(*sweep)
    assert code == 1, err
    require_told(err)
    assert len(pids(tmp_path)) == 2
    (parent,) = [run for run in runs(tmp_path) if run.data.tags.get("kind") == "sweep"]
    assert parent.info.status == "FAILED"
    children = [run for run in runs(tmp_path) if run.info.run_id != parent.info.run_id]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    assert {run.data.tags["overrides"].partition("=")[2]: run.info.status for run in children} == {
        "13": "FAILED", "51": "FINISHED", "9": "KILLED", "52": "FINISHED",
    }  # fmt: skip
    code, out, err = type_in(*sweep[:-1], "training.learning_rate=51,52", "resume=true")
    assert (code, err) == (0, "")
    assert "resume: 2 of 2 jobs are finished" in out
    assert len(runs(tmp_path)) == 6


@pytest.mark.usefixtures("store")
def test_user_error_in_another_process_leaves_no_folder(type_in, tmp_path):
    rates = "training.learning_rate=0.1,0.2"
    code, _, err = type_in(
        "run", "-m", *JOBLIB, "dataset=folder", "dataset.root=/nowhere", rates, "name=untracked"
    )
    assert code == 2, err
    assert err.count("no folder /nowhere") == 2
    assert not list(tmp_path.glob("multirun/*/0"))


@pytest.mark.parametrize(
    ("launcher", "where"),
    [
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=0"], "hydra.launcher.n_jobs = 0"),
        (["hydra/launcher=ray", "hydra.launcher.workers=0"], "workers = 0"),
        (["hydra/launcher=submitit_local", "hydra.launcher.parallel_jobs=0"], "parallel_jobs = 0"),
        (["hydra/launcher=submitit_slurm"], "hydra/launcher=submitit_slurm"),
        (["hydra/launcher=rays"], "hydra/launcher = rays"),
        (["hydra/launcher=ray", "hydra.launcher.wokers=2"], "wokers"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_launcher_that_cannot_work_is_refused_before_anything_starts(
    type_in, tmp_path, monkeypatch, launcher, where
):
    monkeypatch.setenv("PATH", "/nowhere")  # without SLURM
    code, out, err = type_in("run", "-m", *launcher, "seed=0,1")
    assert (code, out) == (2, "")
    assert where in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "launcher",
    [
        pytest.param(JOBLIB, id="joblib"),
        pytest.param(SUBMITIT, id="submitit"),
        pytest.param(RAY, id="ray", marks=pytest.mark.slow),
    ],
)
def test_real_runs_train_in_processes_that_have_imported_nothing(tmp_path, launcher):
    small = ["training=debug", "dataset.images=105", "dataset.image_size=32", "conversion=none"]
    ended = Ended(tmp_path, ["-m", *launcher, *small, "evaluation.bootstrap_samples=100", "seed=0,1"])
    assert ended.code == 0, ended.err
    children = [run for run in ended.runs() if "mlflow.parentRunId" in run.data.tags]
    assert [run.info.status for run in children] == ["FINISHED", "FINISHED"]
    assert all("torch/macro_f1" in run.data.metrics for run in children)


def test_what_broke_a_worker_is_told():
    error = OSError("A task has failed to un-serialize.\nPlease ensure")
    remote = [
        "",
        '"""',
        "Traceback (most recent call last):",
        "RuntimeError: operator nms does not exist",
        '"""',
    ]
    error.__cause__ = Exception("\n".join(remote))
    assert lost("seed=0", error).text == (
        "its process ended without saying how: OSError: A task has failed to un-serialize.\n"
        "caused by: RuntimeError: operator nms does not exist\n"
    )
    error.__cause__ = KeyError()
    assert lost("seed=0", error).text.endswith("\ncaused by: KeyError\n")
    error.__cause__ = None
    assert "caused by" not in lost("seed=0", error).text
