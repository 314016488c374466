"""Keeps every run in MLflow, and closes each one with the status it deserves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from qana.comparison.result import Result
from qana.errors import QanaError
from qana.tracking.earlier import Earlier, find_earlier
from qana.tracking.failure import close_after
from qana.tracking.found_runs import RunFilter, find_runs
from qana.tracking.outbox import ROOT, Outbox
from qana.tracking.process import PROCESS_TAG, this_process
from qana.tracking.recorded_run import RecordedRun, fetch_files, find_run, recorded_run
from qana.tracking.store import open_local, open_server, read_local, read_server, sqlite_uri
from qana.tracking.system_metrics import system_metrics
from qana.tracking.termination import sigterm_raises
from qana.tracking.tracked_run import TrackedRun
from qana.tracking.viewing import viewing_command, viewing_page
from qana.tracking.watcher import Watcher


class MlflowTracking:
    """Opens runs in one MLflow store, local or on a server.

    Args:
        uri: address of a tracking server (http or https); None for the local store.
        root: folder of the local store, relative to where the command is typed; None with a server.
        experiment: MLflow experiment that the runs belong to; made on first use.
        system_metrics: whether runs log what they ask of the machine.

    Raises:
        QanaError: both or neither of `uri` and `root` are given, or `uri` is no web address.
    """

    def __init__(self, *, uri: str | None, root: str | None, experiment: str, system_metrics: bool) -> None:
        _check_arguments(uri, root, experiment)
        self._system_metrics = system_metrics
        self._root = Path(root).expanduser().resolve() if root is not None else None
        self._experiment, self._unsent = experiment, Path(ROOT).resolve()
        self.experiment_id: str | None = None  # known once a run was opened
        self.uri: str = uri if self._root is None else sqlite_uri(self._root)  # type: ignore[assignment]

    def start(self, name: str, *, tags: Mapping[str, str], parent: str | None = None) -> TrackedRun:
        """Open a run that the caller closes with `TrackedRun.end`; `run` does both.

        Raises:
            QanaError: the store cannot be opened, or the server does not answer.
        """
        client, experiment_id = self._open()
        nesting = {MLFLOW_PARENT_RUN_ID: parent} if parent else {}
        own = {PROCESS_TAG: this_process(), **nesting}
        opened = client.create_run(experiment_id, run_name=name, tags={**tags, **own})
        return self._watched(client, opened.info.run_id)

    def reopen(self, run_id: str) -> TrackedRun:
        """Open a run that has ended once more; the caller closes it."""
        client, _ = self._open()
        client.update_run(run_id, status="RUNNING")
        if "failure" in client.get_run(run_id).data.tags:  # of the attempt before
            client.delete_tag(run_id, "failure")
        client.set_tag(run_id, PROCESS_TAG, this_process())
        return self._watched(client, run_id)

    def earlier(self, overrides: str, config_hashes: Sequence[str]) -> Earlier:
        """What this store holds already of a sweep that is to be resumed; nothing where it does not exist.

        Runs whose process is gone without closing them are closed as KILLED on the way.

        Args:
            overrides: of the sweep, as typed.
            config_hashes: of its jobs.
        """
        client, experiment_id = self._open()
        return find_earlier(client, experiment_id, overrides, config_hashes)

    @contextmanager
    def run(
        self,
        name: str,
        *,
        params: Mapping[str, Any],
        tags: Mapping[str, str],
        parent: str | None = None,
    ) -> Iterator[TrackedRun]:
        """Open a run, and close it as FINISHED, as FAILED on any error, or as KILLED on Ctrl-C or SIGTERM.

        The error is passed on; its first line is kept as the tag ``failure``.

        Args:
            name: shown in the UI.
            params: nested config; logged under dotted keys.
            tags: text tags.
            parent: id of the run that this one is nested in.
        """
        with sigterm_raises():
            tracked = self.start(name, tags=tags, parent=parent)
            try:
                tracked.log_params(params)
                with self._machine(tracked.run_id):
                    yield tracked
            except BaseException as error:
                close_after(error, tracked)
                raise
            tracked.end("FINISHED")

    def recorded(self, reference: str, folder: Path) -> RecordedRun:
        """Find a run of the past and fetch its checkpoint, config and split.

        Args:
            reference: its id, or as much of the beginning as no other run has.
            folder: where the files are put; must exist.

        Raises:
            QanaError: no store, no such run, several of them, one that still runs or left no such files.
        """
        return recorded_run(self._read(), reference, store=self._named(), folder=folder)

    def find(self, reference: str) -> str:
        """Whole id of the run whose id begins with `reference`.

        Raises:
            QanaError: no store, no such run, or several.
        """
        return find_run(self._read(), reference, self._named())[0].info.run_id

    def results(self, wanted: RunFilter) -> list[Result]:
        """Read the runs of this experiment that fit, newest first.

        Raises:
            QanaError: no store, no such experiment, or a filter that MLflow cannot read.
        """
        return find_runs(self._read(), self._experiment, wanted)

    def fetch(self, run_id: str, name: str, folder: Path) -> Path:
        """Fetch one artifact of a run.

        Args:
            run_id: whole.
            name: of the artifact.
            folder: where it is put; must exist.

        Raises:
            QanaError: the run has no such artifact.
        """
        client = self._read()
        if name not in {item.path for item in client.list_artifacts(run_id)}:
            raise QanaError(
                f"run {run_id[:8]} left no {name}",
                where=f"run = {run_id}, {self._named()}",
                allowed=f"a run with {name} among its artifacts",
                fix="name another run, or run it again",
            )
        return Path(client.download_artifacts(run_id, name, str(folder)))

    def tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Set text tags of a run that has ended."""
        TrackedRun(self._read(), uri=self.uri, run_id=run_id).set_tags(tags)

    def files(self, run_id: str, names: Sequence[str], folder: Path) -> dict[str, Path]:
        """Fetch files that a run left.

        Args:
            run_id: the whole id.
            names: of artifacts.
            folder: where they are put; must exist.

        Returns:
            Name to local copy.

        Raises:
            QanaError: the run left no such files; all are named.
        """
        return fetch_files(self._read(), run_id, names, folder)

    def ui_command(self) -> str:
        """Say what to type, from the current folder, to look at the runs."""
        return viewing_command(self.uri, self._root, self.experiment_id)

    def ui_page(self) -> str | None:
        """Address to open after `ui_command`; None where that opens it itself, or before the first run."""
        return viewing_page(self._root, self.experiment_id)

    def _machine(self, run_id: str) -> AbstractContextManager[None]:
        return system_metrics(self.uri, run_id) if self._system_metrics else nullcontext()

    def _watched(self, client: MlflowClient, run_id: str) -> TrackedRun:
        outbox = Outbox(self._unsent / run_id) if self._root is None else None
        return TrackedRun(
            client, uri=self.uri, run_id=run_id, watcher=Watcher(self.uri, run_id), outbox=outbox
        )

    def _named(self) -> str:
        """The config key and value that lead to the store."""
        return f"tracking.uri = {self.uri}" if self._root is None else f"tracking.root = {self._root}"

    def _read(self) -> MlflowClient:
        """Open the store for reading; nothing is made."""
        return read_server(self.uri) if self._root is None else read_local(self._root)

    def _open(self) -> tuple[MlflowClient, str]:
        if self._root is None:
            client, self.experiment_id = open_server(self.uri, self._experiment)
        else:
            client, self.experiment_id = open_local(self._root, self._experiment)
        return client, self.experiment_id


def _check_arguments(uri: str | None, root: str | None, experiment: str) -> None:
    if (uri is None) == (root is None):
        raise QanaError(
            "runs are kept either below a folder or on a server",
            where=f"tracking.uri = {uri}, tracking.root = {root}",
            allowed="exactly one of the two; the other is null",
            fix="choose tracking=local or tracking=server",
        )
    if uri is not None and not uri.startswith(("http://", "https://")):
        raise QanaError(
            "the address of the MLflow server is no web address",
            where=f"tracking.uri = {uri}",
            allowed="http://... or https://...",
            fix="set tracking.uri or MLFLOW_TRACKING_URI, or choose tracking=local",
        )
    if not experiment.strip():
        raise QanaError(
            "the MLflow experiment has no name",
            where=f"tracking.experiment = {experiment!r}",
            allowed="any text",
            fix="set tracking.experiment",
        )
