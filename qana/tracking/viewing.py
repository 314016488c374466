"""What to type to look at runs."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path


def viewing_command(uri: str, root: Path | None) -> str:
    """Say what to type, from the current folder.

    Args:
        uri: of the server.
        root: folder of the local store; None with a server.
    """
    if root is None:
        return f"{_python()} -m webbrowser {shlex.quote(uri)}"
    database = _short(root / "mlflow.db")
    return f"{_mlflow_program()} ui --backend-store-uri {shlex.quote(f'sqlite:///{database}')}"


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
