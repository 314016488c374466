"""Runs the real command line in a folder of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

from mlflow.tracking import MlflowClient


class Ended:
    """A command that has ended, and what it left."""

    def __init__(self, folder: Path, arguments: list[str]) -> None:
        environment = {**os.environ, "COLUMNS": "120"}
        command = [str(Path(sys.executable).parent / "qana"), "run", *arguments]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        self.folder, self.code, self.out, self.err = folder, done.returncode, done.stdout, done.stderr

    @property
    def output(self) -> Path:
        return next(self.folder.glob("outputs/*/*"))

    @property
    def report(self) -> dict:
        return json.loads((self.output / "report.json").read_text())

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(f"sqlite:///{self.folder}/qana_runs/mlflow.db")

    def runs(self) -> list:
        experiment = self.client.get_experiment_by_name("qana")
        return self.client.search_runs([experiment.experiment_id])

    def artifacts(self, run) -> set[str]:
        return {item.path for item in self.client.list_artifacts(run.info.run_id)}
