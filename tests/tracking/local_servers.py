"""Servers on the loopback device for the length of a test: MLflow, and PostgreSQL below it."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

START_LIMIT_S = 180  # the tables of a new MLflow store; seconds on a quiet machine
STOP_LIMIT_S = 30


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def mlflow_server(folder: Path, backend: str, port: int | None = None) -> Iterator[str]:
    """Serve the store `backend`, with the artifacts and the log below `folder`; gives the address."""
    uri = f"http://127.0.0.1:{port or free_port()}"
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        uri.rpartition(":")[2],
    ]
    command += ["--workers", "1", "--backend-store-uri", backend]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    # Seven processes for background jobs, which nothing here asks for.
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}

    def answers() -> bool:
        with urllib.request.urlopen(f"{uri}/health", timeout=2):
            return True

    with _running(command, folder, answers, signal.SIGTERM, env=environment):
        yield uri


def postgresql_program(name: str) -> str | None:
    """Debian keeps the programs of the server off the path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(found[-1]) if found else None)


@contextmanager
def postgresql() -> Iterator[str]:
    """Serve an empty database from a new folder; gives its URI."""
    folder, port, owner = Path(tempfile.mkdtemp(prefix="postgresql-")), free_port(), _owner()
    try:
        if owner:
            shutil.chown(folder, owner["user"])
        data = ["-D", str(folder / "data")]
        made = [postgresql_program("initdb"), *data, "-U", "qana", "--auth=trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(made, cwd=folder, check=True, capture_output=True, **owner)
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": folder, "fsync": "off"}
        command = [postgresql_program("postgres"), *data, "-p", str(port)]
        command += [f"--{name}={value}" for name, value in settings.items()]

        def answers() -> bool:
            import psycopg2

            try:
                psycopg2.connect(host="127.0.0.1", port=port, user="qana", dbname="postgres").close()
            except psycopg2.OperationalError as error:
                raise OSError(str(error)) from error
            return True

        with _running(command, folder, answers, signal.SIGINT, **owner):  # SIGINT: closes its connections
            # The driver is named: SQLAlchemy 2.1 takes another one for `postgresql:` than 2.0 did.
            yield f"postgresql+psycopg2://qana@127.0.0.1:{port}/postgres"
    finally:
        shutil.rmtree(folder)


def _owner() -> dict[str, Any]:
    """As whom PostgreSQL runs, which refuses to do so as root."""
    if os.geteuid() != 0:
        return {}
    return {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}


@contextmanager
def _running(command, folder: Path, answers, farewell: signal.Signals, **process) -> Iterator[None]:
    """Run a server until the block ends; whatever happens, nothing of it is left."""
    log = folder / "log"
    with log.open("w") as output:
        server = subprocess.Popen(
            command, stdout=output, stderr=output, cwd=folder, start_new_session=True, **process
        )
    try:
        _wait_until(answers, server, log)
        yield
    finally:
        _stop(server, farewell)


def _wait_until(answers, server: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        try:
            answers()
            return
        except OSError:
            assert server.poll() is None, log.read_text()
            time.sleep(0.3)
    raise AssertionError(f"no answer after {START_LIMIT_S} s:\n{log.read_text()}")


def _stop(server: subprocess.Popen, farewell: signal.Signals) -> None:
    if server.poll() is not None:
        return
    # MLflow's workers are reached through their group; PostgreSQL's must be told by the first process alone.
    if farewell == signal.SIGTERM:
        os.killpg(server.pid, farewell)
    else:
        server.send_signal(farewell)
    try:
        server.wait(timeout=STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
