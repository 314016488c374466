"""Runs the real command line in a folder of its own."""

import json
from pathlib import Path

from empty_store import make_store
from mlflow.tracking import MlflowClient
from warm_command import run_command


class Ended:
    """A command that has ended, and what it left.

    Args:
        folder: where it ran.
        arguments: of `qana run`.
        tracks: whether a store for its run is there before; a refused command is to leave its folder empty.
    """

    def __init__(self, folder: Path, arguments: list[str], *, tracks: bool = True) -> None:
        if tracks:
            make_store(folder)
        done = run_command(["run", *arguments], folder)
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
