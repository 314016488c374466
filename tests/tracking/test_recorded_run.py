"""A run of the past, found by its id or the beginning of it, with the files to go on from."""

import re

import pytest
import yaml
from test_dataset_inputs import splits

from qana.errors import QanaError
from qana.tracking.mlflow_tracking import MlflowTracking

CONFIG = {"name": "old", "seed": 3, "backbone": {"widths": [8, 8]}}
FILES = {"checkpoint.ckpt": b"weights", "config.yaml": yaml.safe_dump(CONFIG).encode(), "split.json": b"{}"}


def leave(tracking, folder, files=FILES, name="old"):
    """A run that has ended, with these files; gives its id."""
    folder.mkdir()
    for file, content in files.items():
        (folder / file).write_bytes(content)
    with tracking.run(name, params={}, tags={}) as tracked:
        tracked.log_datasets(splits())
        tracked.log_artifacts(folder)
    return tracked.run_id


@pytest.fixture
def tracking(store_root):
    return MlflowTracking(uri=None, root=str(store_root), experiment="recorded", system_metrics=False)


def check(record, run_id, folder):
    assert (record.run_id, record.name, record.status, record.experiment) == (
        run_id, "old", "FINISHED", "recorded",
    )  # fmt: skip
    assert record.config == CONFIG
    assert (record.fingerprint, record.split_hash) == ("0f" * 32, "5a" * 32)
    assert record.external == {"isic2018": "e1" * 32}
    assert record.converted_from is None
    assert record.checkpoint.read_bytes() == b"weights"
    assert record.split_file == folder / "split.json"


@pytest.mark.parametrize("length", [32, 12])
def test_run_is_found_by_its_id_or_the_beginning_of_it(tracking, tmp_path, length):
    run_id = leave(tracking, tmp_path / "left")
    folder = tmp_path / "fetched"
    folder.mkdir()
    check(tracking.recorded(run_id[:length], folder), run_id, folder)


def test_run_of_another_experiment_is_found(tracking, store_root, tmp_path):
    run_id = leave(tracking, tmp_path / "left")
    elsewhere = MlflowTracking(
        uri=None, root=str(store_root), experiment="something else", system_metrics=False
    )
    assert elsewhere.recorded(run_id, tmp_path).experiment == "recorded"


def test_run_is_found_on_a_server(server_uri, tmp_path):
    tracking = MlflowTracking(uri=server_uri, root=None, experiment="recorded", system_metrics=False)
    run_id = leave(tracking, tmp_path / "left")
    folder = tmp_path / "fetched"
    folder.mkdir()
    check(tracking.recorded(run_id[:12], folder), run_id, folder)
    with pytest.raises(QanaError, match="there is no run") as caught:
        tracking.recorded("0" * 32, folder)
    assert f"tracking.uri = {server_uri}" in caught.value.where


def test_beginning_of_several_ids_is_refused_and_they_are_listed(tracking, tmp_path):
    ids = [tracking.start(f"run {number}", tags={}).run_id for number in range(17)]  # of 16 first digits
    first = next(run_id[0] for run_id in ids if sum(other[0] == run_id[0] for other in ids) > 1)
    with pytest.raises(QanaError, match=rf"runs have an id that begins with {first}: ") as caught:
        tracking.recorded(first, tmp_path)
    shown = re.findall(r"\b[0-9a-f]{32}\b", caught.value.what)
    assert len(shown) >= 2
    assert all(run_id.startswith(first) for run_id in shown)


@pytest.mark.parametrize("reference", ["0" * 32, "abc%", "%", "_" * 32, "old", "a' OR 'a' = 'a", ""])
def test_unknown_run_is_refused_and_the_latest_are_named(tracking, tmp_path, reference):
    run_id = leave(tracking, tmp_path / "left")
    with pytest.raises(QanaError, match="there is no run") as caught:
        tracking.recorded(reference, tmp_path)
    assert f"{run_id} (old, FINISHED)" in caught.value.allowed
    assert "tracking.root = " in caught.value.where


def test_deleted_run_is_refused_with_how_to_restore_it(tracking, client, tmp_path):
    run_id = leave(tracking, tmp_path / "left")
    client.delete_run(run_id)
    with pytest.raises(QanaError, match="it was deleted") as caught:
        tracking.recorded(run_id[:12], tmp_path)
    assert caught.value.fix == f"restore it: mlflow runs restore --run-id {run_id}"


def test_run_that_goes_on_is_refused(tracking, client, tmp_path):
    tracked = tracking.start("long", tags={})
    with pytest.raises(QanaError, match="is still running") as caught:
        tracking.recorded(tracked.run_id, tmp_path)
    assert f'set_terminated("{tracked.run_id}", "KILLED")' in caught.value.fix
    tracked.end("KILLED")


def test_run_without_a_checkpoint_says_why_it_has_none(tracking, tmp_path):
    with pytest.raises(RuntimeError), tracking.run("bad", params={}, tags={}) as tracked:
        raise RuntimeError("diverged")
    with pytest.raises(QanaError, match=r"left no checkpoint.ckpt, config.yaml, split.json") as caught:
        tracking.recorded(tracked.run_id, tmp_path)
    assert "ended as FAILED: RuntimeError: diverged" in caught.value.what


def test_failed_run_with_its_checkpoint_can_be_used(tracking, client, tmp_path):
    """Its conversion failed; another target may take the network."""
    run_id = leave(tracking, tmp_path / "left")
    client.set_terminated(run_id, "FAILED")
    assert tracking.recorded(run_id, tmp_path).status == "FAILED"


def test_run_without_its_data_is_refused(tracking, tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    with tracking.run("no data", params={}, tags={}) as tracked:
        tracked.log_artifacts(tmp_path)
    with pytest.raises(QanaError, match="does not say which data it learned from"):
        tracking.recorded(tracked.run_id, tmp_path)


def test_reading_makes_no_store(tmp_path):
    tracking = MlflowTracking(
        uri=None, root=str(tmp_path / "nothing"), experiment="recorded", system_metrics=False
    )
    with pytest.raises(QanaError, match="no runs are kept at") as caught:
        tracking.recorded("abc", tmp_path)
    assert caught.value.where == f"tracking.root = {tmp_path / 'nothing'}"
    assert not (tmp_path / "nothing").exists()


def test_server_that_does_not_answer_is_refused(tmp_path):
    tracking = MlflowTracking(
        uri="http://127.0.0.1:9", root=None, experiment="recorded", system_metrics=False
    )
    with pytest.raises(QanaError, match="does not answer"):
        tracking.recorded("abc", tmp_path)
