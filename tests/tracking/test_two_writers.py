"""Two processes that write to one store at the same time."""

import subprocess
import sys
import textwrap
from pathlib import Path

from mlflow.tracking import MlflowClient

import qana

RUNS, POINTS = 4, 25
WRITER = f"""
    import os, sys
    sys.path.insert(0, {str(Path(qana.__file__).parents[1])!r})
    from pathlib import Path
    from qana.tracking.mlflow_tracking import MlflowTracking
    tracking = MlflowTracking(uri=None, root="qana_runs", experiment="both", system_metrics=False)
    for number in range({RUNS}):
        params = {{"writer": sys.argv[1], "number": number}}
        with tracking.run(f"{{sys.argv[1]}}-{{number}}", params=params, tags={{"w": sys.argv[1]}}) as run:
            for step in range({POINTS}):
                run.log_metrics({{"loss": step / 2, "f1": number}}, step=step)
            run.log_text(sys.argv[1], "who.txt")
"""


def test_two_processes_lose_nothing(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(WRITER)]
    children = [
        subprocess.Popen([*command, name], cwd=tmp_path, stderr=subprocess.PIPE, text=True) for name in "ab"
    ]
    for child in children:
        _, err = child.communicate(timeout=300)
        assert (child.returncode, err) == (0, "")
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/qana_runs/mlflow.db")
    found = client.search_runs([client.get_experiment_by_name("both").experiment_id])
    assert sorted(run.info.run_name for run in found) == [f"{w}-{n}" for w in "ab" for n in range(RUNS)]
    for run in found:
        history = client.get_metric_history(run.info.run_id, "loss")
        writer, number = run.info.run_name.split("-")
        assert run.info.status == "FINISHED"
        assert [(point.step, point.value) for point in sorted(history, key=lambda point: point.step)] == [
            (step, step / 2) for step in range(POINTS)
        ]
        assert run.data.params == {"writer": writer, "number": number}
        text = tmp_path.joinpath("qana_runs/artifacts/both", run.info.run_id, "artifacts/who.txt").read_text()
        assert text == writer
