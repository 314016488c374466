"""A run whose process is killed without warning."""

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import qana

LIMIT_S = 120


def start(store_root, tmp_path, ending):
    code = f"""
        import os, sys, time
        sys.path.insert(0, {str(Path(qana.__file__).parents[1])!r})
        from qana.tracking.mlflow_tracking import MlflowTracking
        store = dict(uri=None, root={str(store_root)!r}, system_metrics=False)
        tracking = MlflowTracking(**store, experiment="tests")
        with tracking.run("watched", params={{}}, tags={{}}) as tracked:
            print(tracked.run_id, flush=True)
            {ending}
        """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)


def ended(client, run_id):
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        run = client.get_run(run_id)
        if run.info.status != "RUNNING":
            return run
        time.sleep(0.2)
    raise AssertionError(f"still running after {LIMIT_S} s")


@pytest.mark.usefixtures("local")
def test_run_whose_process_is_killed_ends_as_killed(client, store_root, tmp_path):
    child = start(store_root, tmp_path, "time.sleep(600)")
    run_id = child.stdout.readline().strip()
    child.send_signal(signal.SIGKILL)
    child.wait(timeout=30)
    run = ended(client, run_id)
    assert (run.info.status, run.data.tags["failure"]) == ("KILLED", "its process ended without a word")


def test_watcher_leaves_with_the_run_that_it_watches(local, client):
    with local.run("watched to its end", params={}, tags={}) as tracked:
        process = tracked._watcher._process
        assert process.poll() is None
    assert process.poll() == 0
    assert client.get_run(tracked.run_id).info.status == "FINISHED"


def test_copy_of_a_run_in_another_process_has_no_watcher(local):
    with local.run("copied", params={}, tags={}) as tracked:
        assert tracked._watcher is not None
        assert tracked.__getstate__()["_watcher"] is None
