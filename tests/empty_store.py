"""An MLflow store with its tables and no runs, made once for each process of the tests: it takes seconds."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from mlflow.tracking import MlflowClient


def make_store(folder: Path) -> None:
    """Put an empty store where `qana run` in `folder` looks for its own, unless there is one."""
    place = folder / "qana_runs" / "mlflow.db"
    if not place.exists():
        place.parent.mkdir(exist_ok=True)
        shutil.copy(_template(), place)


@cache
def _template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="empty-store-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path
