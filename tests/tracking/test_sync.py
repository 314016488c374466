"""A server that goes away in the middle of a run: nothing is lost, and nothing arrives twice."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from test_dataset_inputs import splits

from qana.command.sync import main
from qana.errors import QanaError
from qana.tracking.entry import Entry
from qana.tracking.mlflow_tracking import MlflowTracking
from qana.tracking.outbox import RUN, Outbox
from qana.tracking.process import this_process


@pytest.fixture
def tracking(fickle_server, tmp_path, monkeypatch):
    """Runs on a server that answers, started in a folder of their own; MLflow asks once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    if not fickle_server.is_up:
        fickle_server.start()
    return MlflowTracking(uri=fickle_server.uri, root=None, experiment="fickle", system_metrics=False)


@pytest.fixture
def client(fickle_server):
    return MlflowClient(tracking_uri=fickle_server.uri)


def ended_process():
    """A process of this host that is gone, as `this_process` writes it."""
    command = "from qana.tracking.process import this_process; print(this_process())"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.check_output([sys.executable, "-c", command], text=True, env=environment).strip()


def outbox_of(tracked, tmp_path):
    return Outbox(tmp_path / "qana_unsent" / tracked.run_id)


def left_open(tracked, tmp_path, *entries):
    """An outbox as a process leaves it that dies while the server is away."""
    outbox = outbox_of(tracked, tmp_path)
    outbox.open(tracked._uri, tracked.run_id)
    for entry in entries:
        outbox.put(entry)
    told = json.loads((outbox.folder / RUN).read_text())
    (outbox.folder / RUN).write_text(json.dumps({**told, "process": ended_process()}))
    return outbox


def test_run_goes_on_without_its_server_and_is_whole_after_sync(
    tracking, fickle_server, client, tmp_path, capsys, caplog
):
    (tmp_path / "left" / "deep").mkdir(parents=True)
    (tmp_path / "model.fbz").write_bytes(b"program")
    (tmp_path / "left/deep/report.json").write_text("{}")
    with tracking.run("interrupted", params={"seed": 3}, tags={}) as tracked:
        logger = tracked.lightning_logger()
        logger.log_metrics({"val/loss": 2.0}, step=0)
        fickle_server.stop()
        logger.log_metrics({"val/loss": 1.5}, step=1)
        logger.log_metrics({"val/loss": 1.0}, step=2)
        tracked.log_datasets(splits())
        tracked.log_metrics({"akida/macro_f1": 0.5, "akida/latency_ms": float("nan")})
        tracked.set_tags({"target": "akd1000"})
        tracked.log_artifact(tmp_path / "model.fbz")
        (tmp_path / "model.fbz").write_bytes(b"changed since")
        tracked.log_artifacts(tmp_path / "left")
        tracked.log_text("a,b", "sweep.csv")
    assert "no longer answers" in caplog.text
    assert "qana sync" in caplog.text
    assert main([]) == 2  # still away
    assert "does not answer" in capsys.readouterr().err
    fickle_server.start()
    assert main([]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"run {tracked.run_id[:8]}: 9 entries sent"
    run = client.get_run(tracked.run_id)
    assert (run.info.status, run.data.params, run.data.tags["target"]) == (
        "FINISHED",
        {"seed": "3"},
        "akd1000",
    )
    losses = client.get_metric_history(tracked.run_id, "val/loss")
    assert [(each.step, each.value) for each in losses] == [(0, 2.0), (1, 1.5), (2, 1.0)]
    assert run.data.metrics["akida/macro_f1"] == 0.5
    assert {item.path for item in client.list_artifacts(tracked.run_id)} == {"model.fbz", "deep", "sweep.csv"}
    copy = client.download_artifacts(tracked.run_id, "model.fbz", str(tmp_path / "left"))
    assert Path(copy).read_bytes() == b"program"  # as it was when it was logged
    contexts = {tag.value for each in run.inputs.dataset_inputs for tag in each.tags}
    assert {"training", "validation", "test"} <= contexts
    assert main([]) == 0  # and once is all
    assert capsys.readouterr().out == "nothing waits in qana_unsent\n"


def test_failure_without_a_server_is_told_later(tracking, fickle_server, client):
    with suppress(ValueError), tracking.run("failing", params={}, tags={}) as tracked:
        fickle_server.stop()
        raise ValueError("broken")
    fickle_server.start()
    assert main([]) == 0
    run = client.get_run(tracked.run_id)
    assert (run.info.status, run.data.tags["failure"]) == ("FAILED", "ValueError: broken")


def test_run_whose_process_died_meanwhile_is_closed_as_killed(tracking, client, tmp_path):
    tracked = tracking.start("died", tags={})
    left_open(tracked, tmp_path, Entry("tags", {"target": "akida2"}))
    assert main([]) == 0
    run = client.get_run(tracked.run_id)
    assert (run.info.status, run.data.tags["target"]) == ("KILLED", "akida2")
    tracked._watcher.dismiss()


def test_run_that_still_works_is_left_for_later(tracking, client, tmp_path, capsys):
    with tracking.run("working", params={}, tags={}) as tracked:
        outbox = outbox_of(tracked, tmp_path)
        outbox.open(tracked._uri, tracked.run_id)
        outbox.put(Entry("tags", {"target": "akida2"}))
        assert outbox.addressee().process == this_process()
        assert main(["qana_unsent"]) == 0
        assert "still works; left for later" in capsys.readouterr().out
        assert "target" not in client.get_run(tracked.run_id).data.tags
    assert main([]) == 0  # its end queued behind the tag
    run = client.get_run(tracked.run_id)
    assert (run.info.status, run.data.tags["target"]) == ("FINISHED", "akida2")


def test_entry_that_the_server_refuses_keeps_what_is_behind_it(tracking, client, tmp_path, capsys):
    tracked = tracking.start("refused", tags={})
    tracked.log_params({"seed": 3})
    entries = [Entry("tags", {"one": "1"}), Entry("params", {"seed": "4"}), Entry("end", "FINISHED")]
    outbox = left_open(tracked, tmp_path, *entries)
    assert main([]) == 2
    told = capsys.readouterr().err
    assert f"the params of run {tracked.run_id[:8]} could not be sent" in told
    assert [line.split(":")[0].strip() for line in told.splitlines()[1:4]] == ["where", "allowed", "fix"]
    assert outbox.sent() == 1
    assert [entry.kind for entry in outbox.entries()] == ["tags", "params", "end"]
    outbox.mark_sent(2)  # somebody gives the parameter up
    assert main([]) == 0
    assert client.get_run(tracked.run_id).info.status == "FINISHED"
    tracked._watcher.dismiss()


def test_server_that_refuses_is_not_one_that_is_away(tracking, tmp_path):
    with (
        pytest.raises(Exception, match="Invalid value"),
        tracking.run("bad", params={"not\na key": 1}, tags={}),
    ):
        pass
    assert not (tmp_path / "qana_unsent").exists()


@pytest.mark.parametrize("arguments", [["nowhere"], ["a", "b"], ["run=1"], ["--all"]])
def test_what_cannot_be_synced_is_refused(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(QanaError) as caught:
        main(arguments)
    assert caught.value.where == f"qana sync {' '.join(arguments)}"


def test_nothing_to_send_is_no_fault(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([]) == 0
    assert capsys.readouterr().out == "nothing waits in qana_unsent\n"
