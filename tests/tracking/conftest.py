import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from mlflow.tracking import MlflowClient

from qana.tracking.mlflow_tracking import MlflowTracking

SERVER_START_LIMIT_S = 90


@pytest.fixture(scope="session")
def store_root(tmp_path_factory):
    """One local store for the whole session: making the tables takes seconds."""
    return tmp_path_factory.mktemp("store with space") / "qana_runs"


@pytest.fixture(scope="session")
def local(store_root):
    return MlflowTracking(uri=None, root=str(store_root), experiment="tests", system_metrics=False)


@pytest.fixture(scope="session")
def client(local):
    return MlflowClient(tracking_uri=local.uri)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until_up(uri: str, server: subprocess.Popen, log) -> None:
    deadline = time.monotonic() + SERVER_START_LIMIT_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{uri}/health", timeout=2):
                return
        except OSError:
            assert server.poll() is None, log.read_text()
            time.sleep(0.3)
    raise AssertionError(f"no server after {SERVER_START_LIMIT_S} s:\n{log.read_text()}")


@pytest.fixture(scope="session")
def server_uri(tmp_path_factory):
    """A real MLflow server on the loopback device."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/server.db"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    # Seven processes for background jobs, which nothing here asks for.
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    log = folder / "log"
    with log.open("w") as output:
        server = subprocess.Popen(
            command, stdout=output, stderr=output, cwd=folder, env=environment, start_new_session=True
        )
    try:
        wait_until_up(f"http://127.0.0.1:{port}", server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=20)
