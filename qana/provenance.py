"""Where a run comes from: config hash, git commit, package versions; written before anything can fail."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    "qana",
    "torch",
    "pytorch-lightning",
    "torchmetrics",
    "timm",
    "numpy",
    "scikit-learn",
    "hydra-core",
    "mlflow",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "tensorflow",
    "tf_keras",
    "quantizeml",
    "cnn2snn",
    "akida",
)
# Differ between two runs of the same experiment without changing its result.
NOT_HASHED = ("name", "output_dir", "tracking")


def config_hash(config: Mapping[str, Any]) -> str:
    """SHA-256 (first 12 hex digits) over the part of a resolved config that decides the result."""
    decisive = {key: value for key, value in config.items() if key not in NOT_HASHED}
    if isinstance(training := decisive.get("training"), Mapping):  # the same weights, trained here or before
        decisive["training"] = {key: value for key, value in training.items() if key != "float_from"}
    text = json.dumps(decisive, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def package_versions() -> dict[str, str]:
    """Installed versions of the packages that decide a result; those that are missing are left out."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def environment() -> dict[str, Any]:
    """What ``environment.json`` holds: versions, platform and processor count."""
    import os

    return {
        "versions": package_versions(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "python_implementation": sys.implementation.name,
    }


def git_state() -> tuple[str | None, bool | None]:
    """Commit of the checkout that holds this package and whether it has changes; None outside a checkout."""
    folder = Path(__file__).resolve().parent
    sha = _git(folder, "rev-parse", "HEAD")
    # An installed package may lie inside somebody else's checkout; only our own counts.
    if sha is None or _git(folder, "ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None, None
    status = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return sha, bool(status)


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
