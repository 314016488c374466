"""`tracking=server` against an MLflow server that keeps its runs in PostgreSQL, on loopback."""

import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pytest
from command_line import Ended
from local_servers import mlflow_server, postgresql, postgresql_program
from mlflow.tracking import MlflowClient
from recorded_runs import AKIDANET, V1, record_run
from test_dataset_inputs import splits

import qana
from qana.command.compare import main as compare
from qana.console import console
from qana.tracking.mlflow_tracking import MlflowTracking
from qana.tracking.sweep import parent_run_id, sweep
from qana.tracking.sweep_table import sweep_rows

ABSENT = [f"no {name} of PostgreSQL" for name in ("initdb", "postgres") if postgresql_program(name) is None]
ABSENT += [] if find_spec("psycopg2") else ["no driver psycopg2 (dev extra)"]
pytestmark = pytest.mark.skipif(bool(ABSENT), reason=", ".join(ABSENT))

RUNS, POINTS = 3, 10
WRITER = f"""
    import sys
    sys.path.insert(0, {str(Path(qana.__file__).parents[1])!r})
    from qana.tracking.mlflow_tracking import MlflowTracking
    uri, name = sys.argv[1:]
    tracking = MlflowTracking(uri=uri, root=None, experiment="both", system_metrics=False)
    for number in range({RUNS}):
        with tracking.run(f"{{name}}-{{number}}", params={{"writer": name}}, tags={{"w": name}}) as run:
            for step in range({POINTS}):
                run.log_metrics({{"loss": step / 2}}, step=step)
            run.log_text(name, "who.txt")
"""


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    with postgresql() as database, mlflow_server(tmp_path_factory.mktemp("mlflow"), database) as address:
        yield address


@pytest.fixture(scope="module")
def client(uri):
    return MlflowClient(tracking_uri=uri)


def tracking(uri, experiment):
    return MlflowTracking(uri=uri, root=None, experiment=experiment, system_metrics=False)


def runs_of(client, experiment):
    return client.search_runs([client.get_experiment_by_name(experiment).experiment_id])


def test_all_that_a_run_logs_can_be_read_back(uri, client, tmp_path):
    (tmp_path / "model.fbz").write_bytes(b"program")
    many = {f"p{i}": str(i) for i in range(120)}
    params = {"training": {"epochs": 3}, "long": "ä" * 6000, **many}
    with tracking(uri, "whole").run("whole", params=params, tags={"target": "akd1000"}) as tracked:
        tracked.log_datasets(splits())
        tracked.log_metrics({"akida/macro_f1": 0.1 + 0.2, "akida/energy_mj": 1e-300}, step=2)
        tracked.log_artifact(tmp_path / "model.fbz")
        tracked.lightning_logger().log_metrics({"val/loss": 1.5}, step=1)
    (run,) = runs_of(client, "whole")
    assert run.info.status == "FINISHED"
    assert run.data.params == {
        "training.epochs": "3",
        "long": "ä" * 6000,
        **{f"p{i}": str(i) for i in range(120)},
    }
    assert run.data.metrics == {"akida/macro_f1": 0.1 + 0.2, "akida/energy_mj": 1e-300, "val/loss": 1.5}
    assert run.data.tags["target"] == "akd1000"
    assert {made.dataset.name for made in run.inputs.dataset_inputs} == {"clinic", "isic2018"}
    (tmp_path / "fetched").mkdir()
    fetched = tracking(uri, "whole").fetch(run.info.run_id, "model.fbz", tmp_path / "fetched")
    assert fetched.read_bytes() == b"program"


def test_crash_marks_the_run_failed(uri, client):
    with pytest.raises(RuntimeError), tracking(uri, "crash").run("crash", params={}, tags={}):
        raise RuntimeError("lost")
    (run,) = runs_of(client, "crash")
    assert (run.info.status, run.data.tags["failure"]) == ("FAILED", "RuntimeError: lost")


def test_two_writers_that_start_at_once_lose_nothing(uri, client):
    command = [sys.executable, "-c", textwrap.dedent(WRITER), uri]
    children = [subprocess.Popen([*command, name], stderr=subprocess.PIPE, text=True) for name in "ab"]
    errors = [(*child.communicate(timeout=300), child.returncode) for child in children]
    assert errors == [(None, "", 0)] * 2
    found = runs_of(client, "both")
    assert sorted(run.info.run_name for run in found) == [f"{w}-{n}" for w in "ab" for n in range(RUNS)]
    for run in found:
        history = client.get_metric_history(run.info.run_id, "loss")
        assert sorted((point.step, point.value) for point in history) == [(s, s / 2) for s in range(POINTS)]
        assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["who.txt"]


def test_sweep_is_nested_and_can_be_resumed(uri, client):
    store = tracking(uri, "swept")
    with sweep(store, ["seed=0,1"], lambda: False):
        for seed in range(2):
            tags = {"overrides": f"seed={seed}", "config_hash": f"hash{seed}"}
            with store.run(
                f"job {seed}", params={"seed": seed}, tags=tags, parent=parent_run_id()
            ) as tracked:
                tracked.log_metrics({"akida/accuracy": seed / 2, "akida/macro_f1": seed / 4})
    (parent,) = [run for run in runs_of(client, "swept") if run.data.tags.get("kind") == "sweep"]
    rows = sweep_rows(uri, parent.info.run_id)
    assert [(row.overrides, row.macro_f1, row.status) for row in rows] == [
        ("seed=0", 0.0, "FINISHED"),
        ("seed=1", 0.25, "FINISHED"),
    ]
    earlier = store.earlier("seed=0,1", ["hash0", "hash1", "hash2"])
    assert (earlier.parent, set(earlier.finished)) == (parent.info.run_id, {"hash0", "hash1"})


def test_runs_of_the_pipeline_are_compared(uri, tmp_path, monkeypatch):
    monkeypatch.setattr(console, "width", 250)
    monkeypatch.chdir(tmp_path)
    server = ["tracking=server", f"tracking.uri={uri}", "tracking.experiment=compared"]
    ids = [record_run(tmp_path, *AKIDANET, *V1, *server, f"seed={seed}") for seed in range(2)]
    assert compare(["stage=torch", "target=none", f"out={tmp_path}/board", *server]) == 0
    board = (tmp_path / "board" / "leaderboard.csv").read_text()
    assert all(run_id in board for run_id in ids)


def test_qana_run_keeps_its_run_there(uri, client, tmp_path):
    small = [
        "training=debug",
        "dataset.images=105",
        "dataset.image_size=32",
        "evaluation.bootstrap_samples=100",
    ]
    narrow = ["backbone.stem_channels=8", "backbone.widths=[16,16,16]", "backbone.depths=[1,1,1]"]
    server = ["tracking=server", f"tracking.uri={uri}"]
    arguments = [*server, "conversion=none", "backbone.features=8", *small, *narrow]
    ended = Ended(tmp_path, arguments, tracks=False)
    assert ended.code == 0, ended.err
    (run,) = runs_of(client, "qana")
    assert run.info.status == "FINISHED"
    assert run.data.metrics["torch/macro_f1"] == ended.report["stages"]["torch"]["macro_f1"]
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"checkpoint.ckpt", "report.json", "predictions.parquet"} <= files
    assert f"{uri}/#/experiments/" in ended.out
    assert not (tmp_path / "qana_runs").exists()
