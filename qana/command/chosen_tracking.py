"""Which store a command means, known before the rest of its config is."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from omegaconf import OmegaConf

from qana.command.composition import compose_all, job_config
from qana.schema import find_faults
from qana.schema.faults import as_error


def key_of(override: str) -> str:
    """The key or group that a readable override changes: ``+a.b=1``, ``~a.b`` and ``a.b=2`` give ``a.b``."""
    return override.lstrip("+~").partition("=")[0]


def is_below(key: str, place: str) -> bool:
    """Whether `key` is `place`, or lies below it."""
    return key == place or key.startswith((f"{place}.", f"{place}/"))


def chosen_tracking(args: Namespace) -> dict[str, Any]:
    """Compose the tracking group alone, from the YAML files and what the command line changes of it.

    Args:
        args: parsed arguments.

    Returns:
        Its node, resolved.

    Raises:
        QanaError: choices, keys or values of the group that do not exist.
    """
    overrides = _of_tracking(args.overrides)
    composition = compose_all(Namespace(**{**vars(args), "overrides": overrides, "multirun": False}))
    with job_config(composition.jobs[0], 0) as cfg:
        alone = OmegaConf.create({"tracking": cfg.tracking})  # the other groups would import torch
    faults = [fault for fault in find_faults(alone, {}) if fault.where.startswith("tracking.")]
    if faults:
        raise as_error(faults)
    node: dict[str, Any] = OmegaConf.to_container(alone.tracking, resolve=True)  # type: ignore[assignment]
    return node


def _of_tracking(overrides: Sequence[str]) -> list[str]:
    return [text for text in overrides if is_below(key_of(text), "tracking")]
