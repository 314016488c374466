"""What to type to look at runs."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from qana.tracking.experiment_page import experiment_page

LOCAL_ADDRESS = "http://127.0.0.1:5000"  # of `mlflow ui` where it is not told another


def viewing_command(uri: str, root: Path | None, experiment_id: str | None) -> str:
    """Say what to type, from the current folder.

    Args:
        uri: of the server.
        root: folder of the local store; None with a server.
        experiment_id: whose runs a server shows; None for all it has.
    """
    if root is None:
        page = "" if experiment_id is None else experiment_page(experiment_id)
        return f"{_python()} -m webbrowser {shlex.quote(uri.rstrip('/') + page)}"
    database = _short(root / "mlflow.db")
    return f"{_mlflow_program()} ui --backend-store-uri {shlex.quote(f'sqlite:///{database}')}"


def viewing_page(root: Path | None, experiment_id: str | None) -> str | None:
    """Say what to open once the command serves a local store; None where nothing is left to say."""
    if root is None or experiment_id is None:
        return None
    return LOCAL_ADDRESS + experiment_page(experiment_id)


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
