"""Takes the float network of an earlier run instead of training it once more.

Runs that differ in their quantization alone share a float phase; a sweep over bit-widths pays for it once.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import yaml

from qana.errors import QanaError, listed

KEY = "training.float_from"
CHECKPOINT = Path("checkpoints", "best-float.ckpt")
CONFIG, SPLIT = "config.yaml", "split.json"
DECISIVE = ("seed", "dataset", "backbone", "training", "incremental")
# Of these, what the float network does not depend on.
INDIFFERENT = (
    "dataset.root",
    "dataset.cache_dir",
    "dataset.external_test",
    "incremental.learner",
    "incremental.max_drop",
    "incremental.seeds",
    "training.float_from",
    "training.fine_tuning",
    "training.quantized_epochs",
    "training.quantized_learning_rate",
)


def require_same_float_phase(config: Mapping[str, Any]) -> None:
    """Refuse ``training.float_from`` where this run would have trained another float network.

    Args:
        config: the resolved config of this run.

    Raises:
        QanaError: not the folder of a run, or one with other data, another network or another training.
    """
    if config["training"].get("float_from") is None:
        return
    folder = Path(config["training"]["float_from"])
    missing = [str(name) for name in (CONFIG, CHECKPOINT, SPLIT) if not (folder / name).is_file()]
    if missing:
        raise _error(folder, f"is not the folder of a run with a float phase: it lacks {', '.join(missing)}")
    if not config.get("quantization"):
        raise _error(folder, "leaves nothing to train, as quantization is none")
    theirs = dict(_leaves(yaml.safe_load((folder / CONFIG).read_text())))
    ours = dict(_leaves(config))
    keys = [key for key in {**theirs, **ours} if theirs.get(key) != ours.get(key)]
    if keys:
        told = [f"{key} = {ours.get(key)} here, {theirs.get(key)} there" for key in keys]
        raise _error(folder, f"comes from another float phase: {listed(told)}")


def require_same_split(folder: str | None, split_hash: str) -> None:
    """Refuse the network of a run that has trained on images which this one tests or validates on.

    Args:
        folder: ``training.float_from``.
        split_hash: of the data of this run.

    Raises:
        QanaError: the other run has another split.
    """
    if folder is None:
        return
    theirs = json.loads(Path(folder, SPLIT).read_text())["hash"]
    if theirs != split_hash:
        raise _error(Path(folder), f"has another split: {theirs[:12]} there, {split_hash[:12]} here")


def take_float_phase(earlier: str, folder: Path) -> dict[str, Any]:
    """State of the `Classifier` that ended the float phase of an earlier run.

    Args:
        earlier: folder of that run.
        folder: of this run, which gets a copy of the checkpoint.
    """
    copied = folder / CHECKPOINT
    copied.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(earlier, CHECKPOINT), copied)
    state: dict[str, Any] = torch.load(copied, map_location="cpu", weights_only=True)
    return dict(state["state_dict"])


def _leaves(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Dotted key and value of everything that decides a float phase; a group left out has no leaves."""
    for group in DECISIVE:
        yield from _below(group, config.get(group))


def _below(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if key in INDIFFERENT:
        return
    if not isinstance(value, Mapping):
        yield key, value
        return
    for name, inner in value.items():
        yield from _below(f"{key}.{name}", inner)


def _error(folder: Path, what: str) -> QanaError:
    return QanaError(
        f"{folder} {what}",
        where=f"{KEY} = {folder}",
        allowed="the folder of a run with the same seed, data, network and float phase",
        fix=f"name such a folder, or leave it out ({KEY}=null) to train the float network anew",
    )
