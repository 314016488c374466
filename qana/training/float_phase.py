"""Takes the float network of an earlier run instead of training it once more.

Runs that differ in their quantization alone share a float phase; a sweep over bit-widths pays for it once.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from qana.errors import listed
from qana.training.earlier_run import CHECKPOINT, classifier_state, read_config, unfit

KEY = "training.float_from"
TEACHER = "training.teacher"
AVERAGING = "training.float_averaging"
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
    "training.quantized_weight_decay",
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
    recorded = read_config(folder, KEY)
    if not config.get("quantization"):
        raise unfit(folder, KEY, "leaves nothing to train, as quantization is none")
    theirs, ours = dict(_leaves(recorded)), dict(_leaves(config))
    keys = [key for key in {**theirs, **ours} if theirs.get(key) != ours.get(key)]
    if keys:
        told = [f"{key} = {ours.get(key)} here, {theirs.get(key)} there" for key in keys]
        raise unfit(folder, KEY, f"comes from another float phase: {listed(told)}")


def take_float_phase(earlier: str, folder: Path) -> dict[str, Any]:
    """State of the `Classifier` that ended the float phase of an earlier run.

    Args:
        earlier: folder of that run.
        folder: of this run, which gets a copy of the checkpoint.
    """
    copied = folder / CHECKPOINT
    copied.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(earlier, CHECKPOINT), copied)
    return classifier_state(copied)


def _leaves(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Dotted key and value of everything that decides a float phase; a group left out has no leaves."""
    training = config["training"]
    off: tuple[str, ...] = (f"{TEACHER}_",) if training.get("teacher") is None else ()
    if training.get("float_averaging", "none") == "none":
        off += (AVERAGING,)
    for group in DECISIVE:
        for key, value in _below(group, config.get(group)):
            if not key.startswith(off):
                yield key, value


def _below(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if key in INDIFFERENT:
        return
    if not isinstance(value, Mapping):
        yield key, value
        return
    for name, inner in value.items():
        yield from _below(f"{key}.{name}", inner)
