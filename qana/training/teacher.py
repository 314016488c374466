"""A trained float network, usually a larger one, that teaches another in its float phase."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn

from qana.errors import listed
from qana.training.earlier_run import CHECKPOINT, classifier_state, read_config, require_same_split, unfit

KEY = "training.teacher"
# Of the data: what may differ, as it does not change what an image looks like and which class it has.
INDIFFERENT = ("root", "cache_dir", "external_test", "split_file", "on_error")


def require_teacher(config: Mapping[str, Any]) -> None:
    """Refuse, before anything is read, a teacher that cannot teach here.

    Args:
        config: the resolved config of this run.

    Raises:
        QanaError: not the folder of a run, one of other data, or nothing to teach.
    """
    if (name := config["training"].get("teacher")) is None:
        return
    folder = Path(name)
    recorded = read_config(folder, KEY)
    if config["training"].get("float_from") is not None:
        raise unfit(folder, KEY, "has nothing to teach: training.float_from leaves the float phase out")
    theirs, ours = _shown(recorded), _shown(config)
    told = [
        f"{key} = {ours.get(key)} here, {theirs.get(key)} there"
        for key in {**theirs, **ours}
        if theirs.get(key) != ours.get(key)
    ]
    if told:
        raise unfit(folder, KEY, f"has learned from other images: {listed(told)}")


def load_teacher(config: Mapping[str, Any], num_classes: int, split_hash: str) -> nn.Module | None:
    """The network that teaches, with its best weights; None without one.

    Args:
        config: the resolved config of this run.
        num_classes: of its data.
        split_hash: of its data; the teacher must not have seen what is tested here.

    Raises:
        QanaError: another split, or a checkpoint that does not fit the network of its own config.
    """
    if (name := config["training"].get("teacher")) is None:
        return None
    require_same_split(name, split_hash, KEY)
    folder = Path(name)
    backbone = OmegaConf.create(read_config(folder, KEY)["backbone"])
    state = classifier_state(folder / CHECKPOINT)
    own = {key.removeprefix("network."): value for key, value in state.items() if key.startswith("network.")}
    try:
        network: nn.Module = instantiate(backbone, num_classes=num_classes)
        network.load_state_dict(own)
    except (InstantiationException, RuntimeError) as error:
        why = str(error).splitlines()[:2][-1].strip()  # the first of several says which class
        raise unfit(folder, KEY, f"does not fit the network that its config builds today: {why}") from error
    return network.eval()


def _shown(config: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the images that a training sees, and their classes."""
    found = {f"dataset.{key}": value for key, value in config["dataset"].items() if key not in INDIFFERENT}
    return {**found, "incremental": config.get("incremental")}
