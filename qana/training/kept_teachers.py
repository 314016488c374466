"""What a run keeps of the networks that taught it, so that it can be repeated when their folders are gone."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from qana.provenance import config_hash
from qana.training.earlier_run import CHECKPOINT, CONFIG, SPLIT, classifier_state, read_config
from qana.training.teacher import KEY, teacher_folders

TEACHERS = "teachers"
# Differ between the teachers of two seeds or folds of one experiment.
_DRAWN = ("seed", "fold")


def keep_teachers(config: Mapping[str, Any], folder: Path) -> None:
    """Copy what `load_teacher` reads of every teacher to ``teachers/00``, ``teachers/01``, ... of a run.

    Args:
        config: the resolved config of the run.
        folder: of the run.
    """
    for index, teacher in enumerate(teacher_folders(config)):
        kept = folder / TEACHERS / f"{index:02d}"
        (kept / CHECKPOINT).parent.mkdir(parents=True, exist_ok=True)
        for name in (CONFIG, SPLIT):
            shutil.copyfile(teacher / name, kept / name)
        # Without the state of the optimizer, which is two thirds of it and teaches nothing.
        torch.save({"state_dict": classifier_state(teacher / CHECKPOINT)}, kept / CHECKPOINT)


def kept_teachers(folder: Path) -> list[str]:
    """The folders that `keep_teachers` wrote into ``teachers`` of a run, in the order of its config.

    Args:
        folder: the folder ``teachers``.
    """
    return [str(kept) for kept in sorted(folder.iterdir()) if kept.is_dir()]


def teacher_tags(config: Mapping[str, Any]) -> dict[str, str]:
    """``taught_by``: network and config hash of each teacher, equal for every seed and fold; empty for none.

    Args:
        config: the resolved config of a run.
    """
    recorded = [_without_draws(read_config(folder, KEY)) for folder in teacher_folders(config)]
    told = [f"{each['backbone']['_target_'].rpartition('.')[2]} {config_hash(each)}" for each in recorded]
    return {"taught_by": ", ".join(sorted(told))} if told else {}


def _without_draws(config: Mapping[str, Any]) -> dict[str, Any]:
    left = {key: value for key, value in config.items() if key not in _DRAWN}
    return {
        key: _without_draws(value) if isinstance(value, Mapping) else value for key, value in left.items()
    }
