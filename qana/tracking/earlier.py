"""What a store holds already of a sweep that is to be resumed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from qana.tracking.process import PROCESS_TAG, is_gone
from qana.tracking.watch import GONE

KIND = "sweep"  # tag ``kind`` of the parent of a sweep, which has no numbers of its own
PAGE = 1000


@dataclass(frozen=True)
class Earlier:
    """Runs of an earlier attempt.

    Attributes:
        parent: id of the sweep's parent run; None where there is none to go on with.
        finished: config hash to the id of a FINISHED run.
        running: config hash to the id of a run that another process is at.
    """

    parent: str | None
    finished: Mapping[str, str]
    running: Mapping[str, str]

    @property
    def run_ids(self) -> tuple[str, ...]:
        """Of all the runs."""
        return (*self.finished.values(), *self.running.values())


def find_earlier(
    client: MlflowClient, experiment_id: str, overrides: str, config_hashes: Sequence[str]
) -> Earlier:
    """Look for the runs of these configs and the parent of this sweep; see `MlflowTracking.earlier`."""
    wanted = set(config_hashes)
    finished, running, parent = {}, {}, None
    for run in _all_runs(client, experiment_id):
        tags, status = run.data.tags, _status(client, run)
        if tags.get("kind") == KIND and tags.get("overrides") == overrides and status != "RUNNING":
            parent = run.info.run_id  # the latest, as runs come oldest first
        config_hash = tags.get("config_hash", "")
        if config_hash in wanted and "converted_from" not in tags:
            if status == "FINISHED":
                finished[config_hash] = run.info.run_id
            elif status == "RUNNING":
                running[config_hash] = run.info.run_id
    running = {key: run_id for key, run_id in running.items() if key not in finished}
    return Earlier(parent, finished, running)


def _status(client: MlflowClient, run: Run) -> str:
    """The status of a run; one whose process is gone is closed as KILLED."""
    if run.info.status == "RUNNING" and is_gone(run.data.tags.get(PROCESS_TAG)):
        client.set_tag(run.info.run_id, "failure", GONE)
        client.set_terminated(run.info.run_id, "KILLED")
        return "KILLED"
    return str(run.info.status)


def _all_runs(client: MlflowClient, experiment_id: str) -> Iterator[Run]:
    token, order = None, ["attributes.start_time ASC"]
    while True:
        page = client.search_runs([experiment_id], order_by=order, max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
