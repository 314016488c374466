from contextlib import ExitStack

import pytest
from local_servers import free_port, mlflow_server
from mlflow.tracking import MlflowClient

from qana.tracking.mlflow_tracking import MlflowTracking


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


@pytest.fixture(scope="session")
def server_uri(tmp_path_factory):
    """A real MLflow server on the loopback device."""
    folder = tmp_path_factory.mktemp("server")
    with mlflow_server(folder, f"sqlite:///{folder}/server.db") as uri:
        yield uri


class FickleServer:
    """A server that goes away and comes back to its store and its address."""

    def __init__(self, folder):
        self._folder, self._port, self._running = folder, free_port(), None
        self.uri = f"http://127.0.0.1:{self._port}"

    @property
    def is_up(self):
        return self._running is not None

    def start(self):
        self._running = ExitStack()
        store = f"sqlite:///{self._folder}/server.db"
        self._running.enter_context(mlflow_server(self._folder, store, port=self._port))

    def stop(self):
        if self._running is not None:
            self._running.close()
            self._running = None


@pytest.fixture(scope="module")
def fickle_server(tmp_path_factory):
    """A server of one's own, to be stopped and started."""
    server = FickleServer(tmp_path_factory.mktemp("fickle"))
    server.start()
    yield server
    server.stop()
