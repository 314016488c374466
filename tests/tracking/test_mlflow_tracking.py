import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from mlflow.artifacts import download_artifacts
from mlflow.tracking import MlflowClient

import qana
from qana.errors import QanaError
from qana.tracking.mlflow_tracking import MlflowTracking
from qana.tracking.sweep_table import as_csv, sweep_rows
from qana.tracking.termination import Terminated


def status(client, tracked):
    return client.get_run(tracked.run_id).info.status


def run_python(code, cwd):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(qana.__file__).parents[1])},
    )


def exit_as_lightning_does_on_ctrl_c():
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        sys.exit(1)


def test_run_is_open_inside_the_block_and_finished_after_it(local, client):
    with local.run("first", params={"seed": 0}, tags={"git": "abc"}) as tracked:
        assert status(client, tracked) == "RUNNING"
    run = client.get_run(tracked.run_id)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "first")
    assert run.data.tags["git"] == "abc"


@pytest.mark.parametrize(
    ("error", "expected", "reason"),
    [
        (ValueError("no such layer\nsecond line"), "FAILED", "ValueError: no such layer"),
        (QanaError("bad root", where="w", allowed="a", fix="f"), "FAILED", "bad root"),
        (SystemExit(3), "FAILED", "SystemExit: 3"),
        (KeyboardInterrupt(), "KILLED", "KeyboardInterrupt"),
        (Terminated(), "KILLED", "Terminated: 143"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_crash_closes_the_run_and_is_passed_on(local, client, error, expected, reason):
    with (
        pytest.raises(type(error)) as caught,
        local.run("crash", params={}, tags={}) as tracked,
    ):
        raise error
    assert caught.value is error
    run = client.get_run(tracked.run_id)
    assert (run.info.status, run.data.tags["failure"]) == (expected, reason)


def test_ctrl_c_that_lightning_turned_into_an_exit_counts_as_killed(local, client):
    with pytest.raises(SystemExit, match="1"), local.run("ctrl-c", params={}, tags={}) as tracked:
        exit_as_lightning_does_on_ctrl_c()
    assert status(client, tracked) == "KILLED"


def test_crash_while_parameters_are_logged_marks_the_run_failed(local, client):
    with (
        pytest.raises(Exception, match="Invalid value"),
        local.run("bad key", params={"not\na key": 1}, tags={"mark": "bad-key"}),
    ):
        pass
    experiment = client.get_experiment_by_name("tests").experiment_id
    (run,) = client.search_runs([experiment], "tags.mark = 'bad-key'")
    assert run.info.status == "FAILED"


def test_sigterm_marks_the_run_killed(local, client, store_root, tmp_path):
    child = run_python(
        f"""
        import time
        from qana.tracking.mlflow_tracking import MlflowTracking
        store = dict(uri=None, root={str(store_root)!r}, system_metrics=False)
        tracking = MlflowTracking(**store, experiment="tests")
        with tracking.run("to be killed", params={{}}, tags={{}}) as tracked:
            print(tracked.run_id, flush=True)
            time.sleep(60)
        """,
        tmp_path,
    )
    run_id = child.stdout.readline().strip()
    assert run_id, child.stderr.read()
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=30)
    assert child.returncode == 143
    assert client.get_run(run_id).info.status == "KILLED"


def test_handler_of_sigterm_is_put_back(local):
    before = signal.getsignal(signal.SIGTERM)
    with local.run("signals", params={}, tags={}):
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_parameters_metrics_and_files_can_be_read_back(local, client, store_root, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "report.json").write_text("{}")
    with local.run("full", params={"training": {"epochs": 3}}, tags={}) as tracked:
        tracked.log_metrics({"akida/accuracy": 0.75}, step=2)
        tracked.log_artifacts(tmp_path)
        tracked.log_text("a,b\n", "table.csv")
    run = client.get_run(tracked.run_id)
    (point,) = client.get_metric_history(tracked.run_id, "akida/accuracy")
    folder = store_root / "artifacts" / "tests" / tracked.run_id / "artifacts"
    assert run.data.params == {"training.epochs": "3"}
    assert (point.value, point.step) == (0.75, 2)
    assert (folder / "deep" / "report.json").read_text() == "{}"
    assert (folder / "table.csv").read_text() == "a,b\n"


def test_many_parameters_and_metrics_are_all_kept(local, client):
    with local.run("many", params={f"p{i}": i for i in range(230)}, tags={}) as tracked:
        tracked.log_metrics({f"m{i}": i for i in range(1200)})
    data = client.get_run(tracked.run_id).data
    assert data.params == {f"p{i}": str(i) for i in range(230)}
    assert data.metrics == {f"m{i}": float(i) for i in range(1200)}


def test_long_parameter_is_kept_whole_as_an_artifact(local, client, tmp_path):
    whole = "x" * 6001
    with local.run("long", params={"a": {"long": whole, "short": "y" * 6000}}, tags={}) as tracked:
        pass
    data = client.get_run(tracked.run_id).data
    path = download_artifacts(
        run_id=tracked.run_id,
        artifact_path="long_params.json",
        tracking_uri=local.uri,
        dst_path=str(tmp_path),
    )
    assert data.params == {"a.short": "y" * 6000}
    assert data.tags["long_params"] == "a.long"
    assert whole in Path(path).read_text()


def test_lightning_logger_writes_to_the_run_and_leaves_it_open(local, client):
    with local.run("lightning", params={}, tags={}) as tracked:
        logger = tracked.lightning_logger()
        logger.log_metrics({"val/macro_f1": 0.5}, step=7)
        logger.log_hyperparams({"epochs": "x" * 300})
        logger.finalize("success")
        assert status(client, tracked) == "RUNNING"
    data = client.get_run(tracked.run_id).data
    assert (logger.version, data.metrics, data.params) == (tracked.run_id, {"val/macro_f1": 0.5}, {})


def test_nested_runs_are_listed_below_their_parent(local):
    parent = local.start("sweep", tags={})
    for index, score in enumerate([0.5, 0.75]):
        overrides = {"overrides": f"seed={index}"}
        with local.run(f"job {index}", params={}, tags=overrides, parent=parent.run_id) as child:
            child.log_metrics({"akida/accuracy": score, "akida/macro_f1": score / 2})
    with (
        pytest.raises(RuntimeError, match="lost"),
        local.run("job 2", params={}, tags={"overrides": "seed=2"}, parent=parent.run_id),
    ):
        raise RuntimeError("lost")
    parent.end("FAILED")
    lines = as_csv(sweep_rows(local.uri, parent.run_id)).splitlines()
    assert lines[0] == "run_id,name,overrides,status,stage,accuracy,macro_f1"
    assert [line.split(",", 1)[1] for line in lines[1:]] == [
        "job 0,seed=0,FINISHED,akida,0.5,0.25",
        "job 1,seed=1,FINISHED,akida,0.75,0.375",
        "job 2,seed=2,FAILED,,,",
    ]


@pytest.mark.parametrize(
    ("scored", "last"),
    [
        (["float"], "float"),
        (["float", "torch"], "torch"),
        (["float", "torch", "onnx", "keras", "quantized_keras", "akida"], "akida"),
        (["float", "snn"], "snn"),
    ],
)
def test_a_run_of_a_sweep_shows_the_last_stage_that_was_scored(local, scored, last):
    parent = local.start("sweep", tags={})
    with local.run("job", params={}, tags={"overrides": "seed=0"}, parent=parent.run_id) as child:
        for place, stage in enumerate(scored):
            child.log_metrics({f"{stage}/accuracy": place / 8, f"{stage}/macro_f1": place / 16})
    parent.end("FINISHED")
    (row,) = sweep_rows(local.uri, parent.run_id)
    assert (row.stage, row.accuracy, row.macro_f1) == (last, (len(scored) - 1) / 8, (len(scored) - 1) / 16)


def test_processes_that_start_together_share_one_sound_store(tmp_path):
    code = """
        from qana.tracking.mlflow_tracking import MlflowTracking
        store = dict(uri=None, root="qana_runs", system_metrics=False)
        with MlflowTracking(**store, experiment="race").run("r", params={"a": 1}, tags={}):
            pass
    """
    children = [run_python(code, tmp_path) for _ in range(3)]
    outcomes = [(*child.communicate(timeout=120), child.returncode) for child in children]
    assert outcomes == [("", "", 0)] * 3
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/qana_runs/mlflow.db")
    experiment = client.get_experiment_by_name("race")
    assert [run.info.status for run in client.search_runs([experiment.experiment_id])] == ["FINISHED"] * 3
    assert experiment.artifact_location == (tmp_path / "qana_runs" / "artifacts" / "race").as_uri()


def test_server_keeps_runs_and_artifacts(server_uri, tmp_path):
    (tmp_path / "model.fbz").write_bytes(b"program")
    tracking = MlflowTracking(uri=server_uri, root=None, experiment="remote", system_metrics=False)
    with tracking.run("over http", params={"seed": 3}, tags={}) as tracked:
        tracked.log_metrics({"akida/accuracy": 0.5})
        tracked.log_artifact(tmp_path / "model.fbz")
        tracked.lightning_logger().log_metrics({"val/loss": 1.5}, step=1)
    run = MlflowClient(tracking_uri=server_uri).get_run(tracked.run_id)
    fetched = download_artifacts(
        run_id=tracked.run_id,
        artifact_path="model.fbz",
        tracking_uri=server_uri,
        dst_path=str(tmp_path / "fetched"),
    )
    assert (run.info.status, run.data.params) == ("FINISHED", {"seed": "3"})
    assert run.data.metrics == {"akida/accuracy": 0.5, "val/loss": 1.5}
    assert Path(fetched).read_bytes() == b"program"


def test_server_that_does_not_answer_fails_at_once(tmp_path):
    tracking = MlflowTracking(uri="http://127.0.0.1:9", root=None, experiment="remote", system_metrics=False)
    with pytest.raises(QanaError, match="does not answer") as caught:
        tracking.start("never", tags={})
    assert caught.value.where == "tracking.uri = http://127.0.0.1:9"
    assert "tracking=local" in caught.value.fix


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"uri": None, "root": None, "experiment": "e"}, "either below a folder or on a server"),
        ({"uri": "http://h", "root": "r", "experiment": "e"}, "either below a folder or on a server"),
        ({"uri": "ftp://h", "root": None, "experiment": "e"}, "no web address"),
        ({"uri": None, "root": "r", "experiment": " "}, "has no name"),
    ],
)
def test_contradicting_arguments_are_refused(arguments, message):
    with pytest.raises(QanaError, match=message):
        MlflowTracking(**arguments, system_metrics=False)


def test_root_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "taken").write_text("")
    tracking = MlflowTracking(uri=None, root=str(tmp_path / "taken"), experiment="e", system_metrics=False)
    with pytest.raises(QanaError, match="cannot be made"):
        tracking.start("never", tags={})


def test_deleted_experiment_is_refused(local, client, store_root):
    client.delete_experiment(client.create_experiment("gone"))
    tracking = MlflowTracking(uri=None, root=str(store_root), experiment="gone", system_metrics=False)
    with pytest.raises(QanaError, match="was deleted"):
        tracking.start("never", tags={})


def test_store_that_was_moved_is_refused(local, client, store_root):
    client.create_experiment("moved", artifact_location="file:///somewhere/else")
    tracking = MlflowTracking(uri=None, root=str(store_root), experiment="moved", system_metrics=False)
    with pytest.raises(QanaError, match=r"keeps its artifacts elsewhere, at file:///somewhere/else"):
        tracking.start("never", tags={})


def test_ui_command_is_typed_from_the_current_folder(local, store_root, monkeypatch):
    monkeypatch.chdir(store_root.parent)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert local.ui_command() == "mlflow ui --backend-store-uri sqlite:///qana_runs/mlflow.db"


def test_ui_command_names_this_python_where_mlflow_is_not_on_the_path(local, store_root, monkeypatch):
    monkeypatch.chdir(store_root.parent)
    monkeypatch.setenv("PATH", "/nowhere")
    assert local.ui_command() == (
        f"{sys.executable} -m mlflow ui --backend-store-uri sqlite:///qana_runs/mlflow.db"
    )


def test_page_of_the_runs_is_named_once_there_are_any(local, client, store_root):
    unopened = MlflowTracking(uri=None, root=str(store_root), experiment="tests", system_metrics=False)
    local.start("any", tags={}).end("FINISHED")
    experiment = client.get_experiment_by_name("tests").experiment_id
    assert unopened.ui_page() is None
    assert local.ui_page().startswith(f"http://127.0.0.1:5000/#/experiments/{experiment}/runs?")
