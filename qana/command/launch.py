"""Hands checked jobs to Hydra."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import hydra
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from qana.command.composition import CONFIG_NAME, Composition, config_directory, job_config
from qana.command.jobs import Jobs, Task
from qana.command.plugins import register_plugins
from qana.schema.faults import as_error

if TYPE_CHECKING:
    from qana.tracking.earlier import Earlier  # imports MLflow, which only a sound command line needs


def check_jobs(composition: Composition) -> Task:
    """Compare every job with the constructors it names, and return the pipeline that will run them.

    Raises:
        QanaError: every fault of every job.
    """
    from qana.backbone.timm_import import import_torchvision

    import_torchvision()  # the packages below import Lightning
    from qana.run import SUPPLIED, run
    from qana.schema import find_faults

    faults = []
    for index, job in enumerate(composition.jobs):
        with job_config(job, index) as cfg:
            faults += find_faults(cfg, SUPPLIED)
    if faults:
        raise as_error(list(dict.fromkeys(faults)))
    return run


def open_sweep(
    composition: Composition, overrides: Sequence[str], jobs: Jobs, earlier: Earlier | None = None
) -> AbstractContextManager[None]:
    """Open the parent run of a sweep in the store that its jobs will use; a resumed one is opened again."""
    from qana.tracking.sweep import sweep

    tracking = instantiate(OmegaConf.to_container(composition.base.tracking, resolve=True))
    return sweep(tracking, overrides, failed=lambda: bool(jobs.failures), files=jobs.files, earlier=earlier)


def launch(task: Task, arguments: Sequence[str]) -> None:
    """Let Hydra act on `arguments`: run the task once, once per job of a sweep, or only show the config."""
    typed = sys.argv
    register_plugins()
    sys.argv = [typed[0], *arguments]  # Hydra reads the command line itself
    try:
        hydra.main(config_path=str(config_directory()), config_name=CONFIG_NAME, version_base="1.3")(task)()
    finally:
        sys.argv = typed


def nothing(cfg: DictConfig) -> None:
    """Stand for the task where Hydra only shows things."""
