"""The folder of an earlier run, as a training that builds on it needs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import yaml

from qana.errors import QanaError

CHECKPOINT = Path("checkpoints", "best-float.ckpt")
CONFIG, SPLIT = "config.yaml", "split.json"


def read_config(folder: Path, key: str) -> dict[str, Any]:
    """Its resolved config.

    Args:
        folder: of the run.
        key: of the config here that names it, for the message.

    Raises:
        QanaError: not the folder of a run with a float phase.
    """
    missing = [str(name) for name in (CONFIG, CHECKPOINT, SPLIT) if not (folder / name).is_file()]
    if missing:
        raise unfit(
            folder, key, f"is not the folder of a run with a float phase: it lacks {', '.join(missing)}"
        )
    config: dict[str, Any] = yaml.safe_load((folder / CONFIG).read_text())
    return config


def require_same_split(folder: str | None, split_hash: str, key: str) -> None:
    """Refuse a run that has trained on images which this one tests or validates on.

    Args:
        folder: of the run; None for none.
        split_hash: of the data of this run.
        key: of the config here that names it.

    Raises:
        QanaError: the other run has another split.
    """
    if folder is None:
        return
    theirs = json.loads(Path(folder, SPLIT).read_text())["hash"]
    if theirs != split_hash:
        raise unfit(Path(folder), key, f"has another split: {theirs[:12]} there, {split_hash[:12]} here")


def classifier_state(checkpoint: Path) -> dict[str, Any]:
    """State of the `Classifier` that ended its float phase; weights only, so that no code runs."""
    return dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"])


def unfit(folder: Path, key: str, what: str) -> QanaError:
    """The message about a folder that cannot be built on."""
    allowed = {
        "training.float_from": "the folder of a run with the same seed, data, network and float phase",
        "training.teacher": "the folder of a run with the same data, image size and split",
    }
    return QanaError(
        f"{folder} {what}",
        where=f"{key} = {folder}",
        allowed=allowed[key],
        fix=f"name such a folder, or leave it out ({key}=null)",
    )
