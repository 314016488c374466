"""Keeps every run in MLflow, and closes each one with the status it deserves."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from qana.errors import QanaError
from qana.tracking.recorded_run import RecordedRun, fetch_files, recorded_run
from qana.tracking.store import open_local, open_server, read_local, read_server, sqlite_uri
from qana.tracking.termination import signal_behind, sigterm_raises
from qana.tracking.tracked_run import TrackedRun

log = logging.getLogger(__name__)


class MlflowTracking:
    """Opens runs in one MLflow store, local or on a server.

    Args:
        uri: address of a tracking server (http or https); None for the local store.
        root: folder of the local store, relative to where the command is typed; None with a server.
        experiment: MLflow experiment that the runs belong to; made on first use.

    Raises:
        QanaError: both or neither of `uri` and `root` are given, or `uri` is no web address.
    """

    def __init__(self, *, uri: str | None, root: str | None, experiment: str) -> None:
        _check_arguments(uri, root, experiment)
        self._root = Path(root).expanduser().resolve() if root is not None else None
        self._experiment = experiment
        self.uri: str = uri if self._root is None else sqlite_uri(self._root)  # type: ignore[assignment]

    def start(self, name: str, *, tags: Mapping[str, str], parent: str | None = None) -> TrackedRun:
        """Open a run that the caller closes with `TrackedRun.end`; `run` does both.

        Raises:
            QanaError: the store cannot be opened, or the server does not answer.
        """
        client, experiment_id = self._open()
        nesting = {MLFLOW_PARENT_RUN_ID: parent} if parent else {}
        opened = client.create_run(experiment_id, run_name=name, tags={**tags, **nesting})
        return TrackedRun(client, uri=self.uri, run_id=opened.info.run_id)

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
                yield tracked
            except BaseException as error:
                _close_after(error, tracked)
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
        if self._root is None:
            return recorded_run(
                read_server(self.uri), reference, store=f"tracking.uri = {self.uri}", folder=folder
            )
        store = f"tracking.root = {self._root}"
        return recorded_run(read_local(self._root), reference, store=store, folder=folder)

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
        client = read_server(self.uri) if self._root is None else read_local(self._root)
        return fetch_files(client, run_id, names, folder)

    def ui_command(self) -> str:
        """Say what to type, from the current folder, to look at the runs."""
        if self._root is None:
            return f"{_python()} -m webbrowser {shlex.quote(self.uri)}"
        database = _short(self._root / "mlflow.db")
        return f"{_mlflow_program()} ui --backend-store-uri {shlex.quote(f'sqlite:///{database}')}"

    def _open(self) -> tuple[MlflowClient, str]:
        if self._root is None:
            return open_server(self.uri, self._experiment)
        return open_local(self._root, self._experiment)


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


def _close_after(error: BaseException, tracked: TrackedRun) -> None:
    """Record why the run ended. A store that fails now must not hide that reason."""
    status = "FAILED" if signal_behind(error) is None else "KILLED"
    try:
        tracked.set_tags({"failure": _one_line(error)})
        tracked.end(status)
    except MlflowException as secondary:
        log.warning("run %s could not be closed as %s: %s", tracked.run_id, status, secondary)


def _one_line(error: BaseException) -> str:
    """Kind and first line of an error; the line of a QanaError speaks for itself."""
    if type(error).__name__ == "InstantiationException" and error.__cause__ is not None:
        error = error.__cause__  # Hydra's frame around the error of a constructor
    first = (str(error).splitlines() or [""])[0]
    return first if isinstance(error, QanaError) else f"{type(error).__name__}: {first}".removesuffix(": ")


def _mlflow_program() -> str:
    """How the shell finds MLflow: by name where it is on the path, else through this very Python."""
    found = shutil.which("mlflow")
    if found and Path(found).parent == Path(sys.executable).parent:
        return "mlflow"
    return f"{_python()} -m mlflow"


def _python() -> str:
    return shlex.quote(_short(Path(sys.executable)))


def _short(path: Path) -> str:
    """Path as typed from the current folder, or whole where that would climb out of it."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
