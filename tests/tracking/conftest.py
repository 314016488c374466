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


class Server:
    """A real MLflow server on the loopback device, which can go away and come back."""

    def __init__(self, folder):
        self.folder, self.port, self.process = folder, free_port(), None
        self.uri = f"http://127.0.0.1:{self.port}"

    def start(self):
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{self.folder}/server.db"]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        # Seven processes for background jobs, which nothing here asks for.
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        log = self.folder / "log"
        with log.open("a") as output:
            self.process = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                env=environment,
                start_new_session=True,
            )
        wait_until_up(self.uri, self.process, log)

    def stop(self):
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(timeout=20)
            self.process = None


def running_server(folder):
    server = Server(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def server_uri(tmp_path_factory):
    """Address of a server that stays."""
    for server in running_server(tmp_path_factory.mktemp("server")):
        yield server.uri


@pytest.fixture(scope="module")
def fickle_server(tmp_path_factory):
    """A server of one's own, to be stopped and started."""
    yield from running_server(tmp_path_factory.mktemp("fickle"))
