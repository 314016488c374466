import pytest
from local_servers import mlflow_server
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
