"""Trained float networks, usually larger or several, that teach another in its float phase."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor, nn

from qana.errors import QanaError, listed
from qana.schema.faults import Fault, as_error
from qana.training.earlier_run import CHECKPOINT, classifier_state, read_config, require_same_split, unfit

KEY = "training.teacher"
# Of the data: what may differ, as it does not change what an image looks like and which class it has.
INDIFFERENT = ("root", "cache_dir", "external_test", "split_file", "on_error")


class Ensemble(nn.Module):
    """Networks of the same classes that answer as one, by the mean of their logits.

    Softened, that is the geometric mean of their distributions (Hinton et al. 2015, arXiv:1503.02531,
    section 1), whatever the temperature.

    Args:
        networks: at least one; each (N, 3, H, W) -> (N, classes).
    """

    def __init__(self, networks: list[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, images: Tensor) -> Tensor:
        """The mean logits, (N, classes), of images (N, 3, H, W)."""
        return torch.stack([network(images).float() for network in self.networks]).mean(0)


def require_teacher(config: Mapping[str, Any]) -> None:
    """Refuse, before anything is read, a teacher that cannot teach here.

    Args:
        config: the resolved config of this run.

    Raises:
        QanaError: not the folder of a run, one of other data, one named twice, or an empty list; of several
            teachers names all that are unfit.
    """
    folders = teacher_folders(config)
    if not folders and config["training"].get("teacher") is not None:
        raise QanaError(
            "there is nobody to teach: the list of teachers is empty",
            where=f"{KEY} = {config['training']['teacher']!r}",
            allowed="folders of runs with the same data, image size and split, or null",
            fix=f"name them ({KEY}=[FOLDER,FOLDER]), or train without ({KEY}=null)",
        )
    for twice in {folder for folder in folders if folders.count(folder) > 1}:
        raise unfit(twice, KEY, "is named twice, and would count twice")
    ours = _shown(config)
    _refuse_all(fault for folder in folders for fault in _faults_of_images(folder, ours))


def load_teacher(config: Mapping[str, Any], num_classes: int, split_hash: str) -> nn.Module | None:
    """The network that teaches, with its best weights, several as an `Ensemble`; None where nobody teaches.

    Nobody does where ``training.float_from`` takes the float phase from a run that was taught by them.

    Args:
        config: the resolved config of this run.
        num_classes: of its data.
        split_hash: of its data; a teacher must not have seen what is tested here.

    Raises:
        QanaError: another split, or a checkpoint that does not fit the network of its own config; of
            several teachers names all that are unfit.
    """
    folders = teacher_folders(config)
    _refuse_all(fault for folder in folders for fault in _faults_of_split(folder, split_hash))
    if not folders or config["training"].get("float_from") is not None:
        return None
    networks = [_network(folder, num_classes) for folder in folders]
    return networks[0] if len(networks) == 1 else Ensemble(networks).eval()


def teacher_folders(config: Mapping[str, Any]) -> list[Path]:
    """Of the runs that teach, in the order of the config; empty without a teacher."""
    named = config["training"].get("teacher")
    return [Path(name) for name in ([named] if isinstance(named, str) and named else named or [])]


def _network(folder: Path, num_classes: int) -> nn.Module:
    backbone = OmegaConf.create(read_config(folder, KEY)["backbone"])
    state = classifier_state(folder / CHECKPOINT)
    own = {key.removeprefix("network."): value for key, value in state.items() if key.startswith("network.")}
    try:
        network: nn.Module = instantiate(backbone, num_classes=num_classes)
        network.load_state_dict(own)
    except (InstantiationException, RuntimeError) as error:
        why = str(error).splitlines()[:2][-1].strip()  # the first of several says which class
        raise unfit(folder, KEY, f"does not fit the network that its config builds today: {why}") from error
    return network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _refuse_all(faults: Iterator[QanaError]) -> None:
    if found := [Fault(error.what, error.where, error.allowed, error.fix) for error in faults]:
        raise as_error(found)


def _faults_of_images(folder: Path, ours: Mapping[str, Any]) -> Iterator[QanaError]:
    try:
        theirs = _shown(read_config(folder, KEY))
    except QanaError as error:
        yield error
        return
    told = [
        f"{key} = {ours.get(key)} here, {theirs.get(key)} there"
        for key in {**theirs, **ours}
        if theirs.get(key) != ours.get(key)
    ]
    if told:
        yield unfit(folder, KEY, f"has learned from other images: {listed(told)}")


def _faults_of_split(folder: Path, split_hash: str) -> Iterator[QanaError]:
    try:
        require_same_split(str(folder), split_hash, KEY)
    except QanaError as error:
        yield error


def _shown(config: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the images that a training sees, and their classes."""
    found = {f"dataset.{key}": value for key, value in config["dataset"].items() if key not in INDIFFERENT}
    return {**found, "incremental": config.get("incremental")}
