"""The command line as a user meets it: real processes, real Hydra, a small tree and pipeline."""

import importlib.util
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from stub_program import parts, runs

import qana
from qana.command.composition import config_directory

pytest_plugins = ("stub_program",)


@pytest.fixture
def type_in_real(tmp_path):
    """Type a command of the project itself, with its own config tree."""
    code = "from qana.cli import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(Path(qana.__file__).parents[1])}

    def run_program(*arguments):
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        return done.returncode, done.stdout, done.stderr

    return run_program


def test_configs_are_those_of_the_project():
    assert (config_directory() / "tracking" / "local.yaml").is_file()
    assert (config_directory() / "config.yaml").is_file()


def test_configs_inside_an_installed_package_come_first(tmp_path, monkeypatch):
    (tmp_path / "qana" / "conf").mkdir(parents=True)
    monkeypatch.setattr(qana, "__file__", str(tmp_path / "qana" / "__init__.py"))
    assert config_directory() == tmp_path / "qana" / "conf"


def test_default_experiment_of_the_project_composes(type_in_real):
    code, out, err = type_in_real("run", "--cfg", "job")
    assert (code, err) == (0, "")
    assert "_target_: qana.tracking.mlflow_tracking.MlflowTracking" in out


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_lists_only_commands_that_exist(type_in, arguments):
    code, out, err = type_in(*arguments)
    assert (code, err) == (0, "")
    assert out.startswith("usage: qana COMMAND")
    listed = re.findall(r"^  (\w+) +\w", out, re.MULTILINE)
    assert {"run", "compare", "predict", "reproduce"} <= set(listed)
    commands = [name for name in listed if name != "run"]
    assert all(importlib.util.find_spec(f"qana.command.{name}") for name in commands)


def test_version_is_that_of_the_package(type_in):
    assert type_in("--version") == (0, f"qana {qana.__version__}\n", "")


def test_unknown_command_is_refused(type_in, tmp_path):
    code, out, err = type_in("train", "training=gpu")
    assert (code, out) == (2, "")
    assert parts(err)[0] == "there is no command 'train'"
    assert "run" in parts(err)[2]


def test_help_of_run_lists_the_choices_and_writes_nothing(type_in, tmp_path):
    code, out, _ = type_in("run", "--help")
    assert (code, "backbone: narrow, wide" in out) == (0, True)
    assert list(tmp_path.iterdir()) == []


def test_cfg_job_shows_the_config_and_writes_nothing(type_in, tmp_path):
    code, out, err = type_in("run", "--cfg", "job", "training.max_epochs=7")
    assert (code, err) == (0, "")
    assert "max_epochs: 7" in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "what", "where", "allowed", "fix"),
    [
        (["backbone=narow"], "backbone has no choice 'narow'", "backbone = narow", "narrow, wide", "narrow?"),
        (["experiment=big"], "experiment has no choice 'big'", "experiment = big", "wide_short", "choose"),
        (["training=null"], "training has no choice 'null'", "training = null", "cpu", "choose"),
        (
            ["training.max_epoch=3"],
            "training has no key 'max_epoch'",
            "training.max_epoch = 3",
            "learning_rate, max_epochs, seed",
            "did you mean training.max_epochs?",
        ),
        (["bakbone=wide"], "no key 'bakbone'", "bakbone = wide", "backbone", "did you mean backbone?"),
        (["learning_rate=1"], "no key 'learning_rate'", "learning_rate", "seed", "training.learning_rate?"),
        (["hydra.verbos=1"], "hydra has no key 'verbos'", "hydra.verbos = 1", "verbose", "hydra.verbose?"),
        (["seed"], "'seed' cannot be read", "seed", "key=value", "correct"),
        (["seed=[1,"], "'seed=[1,' cannot be read", "seed=[1,", "key=value", "correct"),
        (["=3"], "'=3' cannot be read: it names no key", "=3", "key=value", "correct"),
        (["backbone=narrow,wide"], "several values", "backbone = narrow,wide", "one value", "add -m"),
        (["--cfg", "job", "backbone=nope"], "no choice 'nope'", "backbone = nope", "narrow", "choose"),
        (["--cfgg"], "unrecognized arguments: --cfgg", "qana run --cfgg", "overrides", "--hydra-help"),
        (["--config-dir", "nowhere"], "no config folder", "--config-dir nowhere", "YAML", "correct the path"),
        (["~nothing"], "no key 'nothing'", "nothing", "seed", "--cfg job"),
        (["-m", "backbone=wide,slim"], "no choice 'slim'", "backbone = slim", "narrow, wide", "choose"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_composition_fault_is_one_message_and_leaves_nothing(
    type_in, tmp_path, arguments, what, where, allowed, fix
):
    code, out, err = type_in("run", *arguments)
    assert (code, out) == (2, "")
    for expected, part in zip((what, where, allowed, fix), parts(err), strict=True):
        assert expected in part
    assert list(tmp_path.iterdir()) == []


def test_every_fault_of_the_overrides_is_named_at_once(type_in):
    code, _, err = type_in("run", "training.max_epoch=3", "backbone.depth=2")
    assert code == 2
    assert parts(err)[0].startswith("2 settings are at fault")
    assert "training.max_epoch = 3" in parts(err)[1]
    assert "backbone.depth = 2" in parts(err)[1]


def test_schema_faults_are_named_at_once_and_leave_nothing(type_in, tmp_path):
    code, _, err = type_in(
        "run", "training.learning_rate=fast", "seed=-1", "+backbone.heads=2", "backbone.width=2.5"
    )
    assert code == 2
    assert [line.strip() for line in parts(err)[1].splitlines()] == [
        "seed = -1",
        "backbone.width = 2.5",
        "backbone.heads = 2",
        "training.learning_rate = 'fast'",
    ]
    assert "seed: a whole number of at least 0" in parts(err)[2]
    assert list(tmp_path.iterdir()) == []


def test_value_left_out_is_asked_for(type_in, tmp_path):
    code, _, err = type_in("run", "dataset=folder")
    assert code == 2
    assert parts(err)[1] == "dataset.root = ???"
    assert parts(err)[3] == "give dataset.root=..."
    assert list(tmp_path.iterdir()) == []


def test_one_bad_job_keeps_the_whole_sweep_from_starting(type_in, tmp_path):
    code, out, err = type_in("run", "-m", "training.learning_rate=0.1,fast")
    assert (code, out) == (2, "")
    assert parts(err)[1] == "training.learning_rate = 'fast'"
    assert list(tmp_path.iterdir()) == []


def test_run_with_a_recipe_is_finished_and_keeps_its_config(type_in, tmp_path):
    code, out, err = type_in("run", "experiment=wide_short", "seed=3")
    assert (code, err) == (0, "")
    assert "ran wide-w4a4 64 4 1 ['run', 'experiment=wide_short', 'seed=3']" in out
    (run,) = runs(tmp_path)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "wide-w4a4")
    assert run.data.params["training.seed"] == "3"
    (report,) = tmp_path.glob("outputs/*/report.json")
    assert (report.parent / ".hydra" / "config.yaml").is_file()


def test_user_error_in_a_constructor_is_one_message_and_leaves_nothing(type_in, tmp_path):
    code, out, err = type_in("run", "dataset=folder", "dataset.root=/nowhere")
    assert (code, out) == (2, "")
    assert parts(err) == ("no folder /nowhere", "dataset.root = /nowhere", "a folder", "mkdir")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("store")
def test_bug_is_told_with_its_traceback_and_marks_the_run_failed(type_in, tmp_path):
    code, _, err = type_in("run", "training.learning_rate=13")
    assert code == 1
    assert "Traceback" in err
    assert "diverged" in err
    (run,) = runs(tmp_path)
    assert (run.info.status, run.data.tags["failure"]) == ("FAILED", "RuntimeError: diverged")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.usefixtures("store")
def test_signal_stops_the_run_and_marks_it_killed(start, tmp_path, number, code):
    child = start("run", "training.learning_rate=99")
    assert child.stdout.readline() == "training\n"
    child.send_signal(number)
    _, err = child.communicate(timeout=120)
    assert (child.returncode, err.strip()) == (code, f"stopped by {number.name}")
    (run,) = runs(tmp_path)
    assert run.info.status == "KILLED"


def test_server_that_does_not_answer_is_the_users_error(type_in, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    code, _, err = type_in("run", "tracking=server")
    assert code == 2
    assert parts(err)[1] == "tracking.uri = http://127.0.0.1:9"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("store")
def test_sweep_is_one_parent_run_with_a_nested_run_per_job(type_in, tmp_path):
    code, out, err = type_in("run", "-m", "backbone=narrow,wide", "quantization=w4a4,w8a8", "seed=3")
    assert (code, err) == (0, "")
    assert "all: seed=3" in out
    first = next(line for line in out.splitlines() if "narrow-w4a4" in line and "│" in line)
    assert "seed" not in first
    assert "6.2 %" in first
    found = runs(tmp_path)
    (parent,) = [run for run in found if run.data.tags.get("kind") == "sweep"]
    children = [run for run in found if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert parent.info.status == "FINISHED"
    assert sorted(run.info.run_name for run in children) == [
        "narrow-w4a4", "narrow-w8a8", "wide-w4a4", "wide-w8a8",
    ]  # fmt: skip
    (table,) = tmp_path.glob("qana_runs/artifacts/**/sweep.csv")
    rows = [line.split(",", 1)[1] for line in table.read_text().splitlines()]
    assert rows[0] == "name,overrides,status,stage,accuracy,macro_f1"
    assert rows[1] == "narrow-w4a4,backbone=narrow quantization=w4a4 seed=3,FINISHED,akida,0.0625,0.03125"
    assert len(rows) == 5


@pytest.mark.usefixtures("store")
def test_job_that_fails_leaves_the_others_of_its_sweep_running(type_in, tmp_path):
    code, _, err = type_in("run", "-m", "training.learning_rate=13,0.1")
    assert code == 1
    assert "job failed: training.learning_rate=13" in err
    by_kind = {run.data.tags["overrides"]: run.info.status for run in runs(tmp_path)}
    assert by_kind == {
        "training.learning_rate=13,0.1": "FAILED",
        "training.learning_rate=13": "FAILED",
        "training.learning_rate=0.1": "FINISHED",
    }


@pytest.mark.usefixtures("store")
def test_folder_of_own_configs_adds_choices(type_in, tmp_path):
    (tmp_path / "mine" / "backbone").mkdir(parents=True)
    (tmp_path / "mine" / "backbone" / "own.yaml").write_text("{_target_: stages.Backbone, width: 5}")
    code, out, err = type_in("run", "--config-dir", "mine", "backbone=own")
    assert (code, err) == (0, "")
    assert "ran own-w4a4 5 4" in out


@pytest.mark.usefixtures("store")
def test_killed_sweep_is_resumed_below_its_parent_without_doing_anything_twice(start, type_in, tmp_path):
    sweep = ("run", "-m", "training.learning_rate=0.1,99,0.2")
    child = start(*sweep)
    while child.stdout.readline() != "training\n":
        assert child.poll() is None
    child.kill()  # SIGKILL: nothing can be closed by the process itself
    child.communicate(timeout=60)
    (tmp_path / "awake").touch()
    code, out, err = type_in(*sweep, "resume=true")
    assert (code, err) == (0, "")
    assert "resume: 1 of 3 jobs are finished" in out
    assert "skipped, finished: training.learning_rate=0.1" in out
    found = runs(tmp_path)
    parents = [run for run in found if run.data.tags.get("kind") == "sweep"]
    children = [run for run in found if run.data.tags.get("kind") != "sweep"]
    assert [parent.info.status for parent in parents] == ["FINISHED"]
    assert "failure" not in parents[0].data.tags
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parents[0].info.run_id}
    ended = sorted((run.data.tags["overrides"], run.info.status) for run in children)
    assert ended == [
        ("training.learning_rate=0.1", "FINISHED"),
        ("training.learning_rate=0.2", "FINISHED"),
        ("training.learning_rate=99", "FINISHED"),
        ("training.learning_rate=99", "KILLED"),
    ]
    (table,) = tmp_path.glob("qana_runs/artifacts/**/sweep.csv")
    rows = [line.split(",")[2:4] for line in table.read_text().splitlines()[1:]]
    assert sorted(rows) == [[f"training.learning_rate={rate}", "FINISHED"] for rate in ("0.1", "0.2", "99")]


@pytest.mark.usefixtures("store")
def test_resume_runs_again_what_failed_and_takes_finished_jobs_of_another_sweep(type_in, tmp_path):
    assert type_in("run", "-m", "training.learning_rate=13,0.1")[0] == 1
    code, out, err = type_in("run", "-m", "training.learning_rate=0.1,0.3", "resume=true")
    assert (code, err) == (0, "")
    assert "resume: 1 of 2 jobs are finished" in out
    parent = next(
        run for run in runs(tmp_path) if run.data.tags["overrides"] == "training.learning_rate=0.1,0.3"
    )
    table = next(tmp_path.glob(f"qana_runs/artifacts/**/{parent.info.run_id}/artifacts/sweep.csv"))
    assert [line.split(",")[2] for line in table.read_text().splitlines()[1:]] == [
        "training.learning_rate=0.1",
        "training.learning_rate=0.3",
    ]
    code, out, err = type_in("run", "-m", "training.learning_rate=13,0.1", "resume=true")
    assert code == 1
    assert "job failed: training.learning_rate=13" in err
    assert "skipped, finished: training.learning_rate=0.1" in out


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["resume=true"], "resume=true cannot be followed without a sweep"),
        (["-m", "resume=perhaps", "seed=1,2"], "resume=perhaps cannot be followed"),
    ],
)
def test_resume_that_means_nothing_is_refused(type_in, tmp_path, arguments, what):
    code, _, err = type_in("run", *arguments)
    assert (code, parts(err)[0]) == (2, what)
    assert list(tmp_path.iterdir()) == []
