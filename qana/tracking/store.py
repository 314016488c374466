"""Opens the place where runs are kept: one SQLite file with a folder of artifacts, or a tracking server."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from qana.errors import QanaError
from qana.tracking.experiment_page import experiment_tags

CONNECT_TIMEOUT_S = 5
LOCK_TIMEOUT_S = 120  # making the tables takes about 4 s; a queue of processes waits for the first
_CHATTY_LOGGERS = ("alembic", "mlflow.store.db.utils")


def sqlite_uri(root: Path) -> str:
    """Tracking URI of the local store below `root`."""
    return f"sqlite:///{root / 'mlflow.db'}"


def open_local(root: Path, experiment: str) -> tuple[MlflowClient, str]:
    """Open the store below `root`, making it on first use, and return its client and the experiment's id.

    Safe when several processes start at once: the tables and the experiment are made under a file lock.

    Raises:
        QanaError: `root` cannot be written, or the store was made elsewhere or by another MLflow.
    """
    _make_folder(root)
    artifacts = (root / "artifacts" / experiment).as_uri()
    try:
        with FileLock(root / ".mlflow.lock", timeout=LOCK_TIMEOUT_S), _quiet():
            client = MlflowClient(tracking_uri=sqlite_uri(root))
            found = _experiment(client, experiment, artifacts)
    except MlflowException as error:
        raise _unusable_store(root, error) from error
    if found.artifact_location != artifacts:
        raise QanaError(
            f"experiment {experiment!r} keeps its artifacts elsewhere, at {found.artifact_location}",
            where=f"tracking.root = {root}",
            allowed="a store that is still in the folder where it was made",
            fix="move it back, or choose another tracking.root or tracking.experiment",
        )
    return client, found.experiment_id


def open_server(uri: str, experiment: str) -> tuple[MlflowClient, str]:
    """Open the experiment on a tracking server and return its client and the experiment's id.

    Raises:
        QanaError: nothing listens there, or what answers refuses.
    """
    _knock(uri)
    client = MlflowClient(tracking_uri=uri)
    try:
        with _impatient():
            return client, _experiment(client, experiment, None).experiment_id
    except MlflowException as error:
        raise _unreachable(uri, str(error).splitlines()[0]) from error


def read_local(root: Path) -> MlflowClient:
    """Open the store below `root` for reading; nothing is made.

    Raises:
        QanaError: there is no store, or it was made by another MLflow.
    """
    if not (root / "mlflow.db").is_file():
        raise QanaError(
            f"no runs are kept at {root}",
            where=f"tracking.root = {root}",
            allowed="the folder of a run store, with mlflow.db in it",
            fix="go to the folder where the run was started, give tracking.root=..., or tracking=server",
        )
    try:
        with FileLock(root / ".mlflow.lock", timeout=LOCK_TIMEOUT_S), _quiet():
            client = MlflowClient(tracking_uri=sqlite_uri(root))
            client.search_experiments(max_results=1)
    except MlflowException as error:
        raise _unusable_store(root, error) from error
    return client


def read_server(uri: str) -> MlflowClient:
    """Open a tracking server for reading.

    Raises:
        QanaError: nothing listens there, or what answers refuses.
    """
    _knock(uri)
    client = MlflowClient(tracking_uri=uri)
    try:
        with _impatient():
            client.search_experiments(max_results=1)
    except MlflowException as error:
        raise _unreachable(uri, str(error).splitlines()[0]) from error
    return client


def _experiment(client: MlflowClient, name: str, artifacts: str | None) -> Experiment:
    found = client.get_experiment_by_name(name)
    if found is None:
        found = _create(client, name, artifacts)
    if found.lifecycle_stage != "active":
        raise QanaError(
            f"experiment {name!r} was deleted in MLflow",
            where=f"tracking.experiment = {name}",
            allowed="an active or a new experiment",
            fix=f"mlflow experiments restore --experiment-id {found.experiment_id}, or choose another name",
        )
    _lay_out(client, found)
    return found


def _create(client: MlflowClient, name: str, artifacts: str | None) -> Experiment:
    try:
        made = client.create_experiment(name, artifact_location=artifacts, tags=experiment_tags())
    except MlflowException:
        found = client.get_experiment_by_name(name)  # another process was faster
        if found is None:
            raise
        return found
    return client.get_experiment(made)


def _lay_out(client: MlflowClient, experiment: Experiment) -> None:
    """Give an experiment that was made elsewhere the same page; what a user has changed stays."""
    for key, value in experiment_tags().items():
        if key not in experiment.tags:
            with suppress(MlflowException):  # a server may forbid it, and the run does not depend on it
                client.set_experiment_tag(experiment.experiment_id, key, value)


def _make_folder(root: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
        writable = os.access(root, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        raise QanaError(
            f"the run store cannot be made at {root}",
            where=f"tracking.root = {root}",
            allowed="a folder that can be written",
            fix="choose another folder with tracking.root=...",
        )


def _unusable_store(root: Path, error: MlflowException) -> QanaError:
    return QanaError(
        f"MLflow cannot use the run store: {str(error).splitlines()[0]}",
        where=f"tracking.root = {root}",
        allowed="a store made by this version of MLflow",
        fix=f"back it up and type: mlflow db upgrade {sqlite_uri(root)}; or choose another tracking.root",
    )


def _unreachable(uri: str, reason: str) -> QanaError:
    return QanaError(
        f"the MLflow server does not answer: {reason}",
        where=f"tracking.uri = {uri}",
        allowed="the address of a running MLflow server",
        fix="start one (mlflow server), set MLFLOW_TRACKING_URI, or choose tracking=local",
    )


def _knock(uri: str) -> None:
    """Fail within seconds where nothing listens; MLflow alone would retry for minutes."""
    address = urlsplit(uri)
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname or "", port), timeout=CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise _unreachable(uri, str(error)) from error


@contextmanager
def _impatient() -> Iterator[None]:
    """Let MLflow ask the server once and not wait long; logging later keeps its own patience."""
    wanted = {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(2 * CONNECT_TIMEOUT_S),
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the story of the table migrations off the terminal; warnings still come through."""
    loggers = [logging.getLogger(name) for name in _CHATTY_LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
