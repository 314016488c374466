"""Hands checked jobs to Hydra, and keeps how each one ended."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from qana.command.composition import CONFIG_NAME, Composition, config_directory, job_config
from qana.command.leftovers import remove_leftovers
from qana.command.outcome import DONE, FAILED, tell, user_error_behind
from qana.schema.faults import as_error

if TYPE_CHECKING:
    from qana.tracking.earlier import Earlier  # imports MLflow, which only a sound command line needs

Task = Callable[[DictConfig], Any]


class Jobs:
    """The task that Hydra calls for each job; an error is kept here, so that the other jobs still run.

    Args:
        task: runs one job from its config.

    Attributes:
        failures: (overrides, error) of each job that failed, in order.
    """

    def __init__(self, task: Task) -> None:
        self._task, self._pid, self._typed = task, os.getpid(), list(sys.argv)
        self.failures: list[tuple[str, Exception]] = []

    def __call__(self, cfg: DictConfig) -> Any:
        sys.argv = list(self._typed)  # Lightning starts its other ranks with these
        try:
            return self._task(cfg)
        except Exception as error:
            if os.getpid() != self._pid:
                raise  # a launcher that uses other processes carries errors itself
            job = HydraConfig.get()
            self.failures.append((" ".join(job.overrides.task), error))
            if user_error_behind(error):
                remove_leftovers(Path(job.runtime.output_dir), job.job.name)
            return None

    def tell_failures(self, *, named: bool) -> int:
        """Write every failure to stderr and return the exit code of them all: 1 before 2 before 0.

        Args:
            named: whether to say which job it was.
        """
        codes = []
        for overrides, error in self.failures:
            if named:
                sys.stderr.write(f"job failed: {overrides or 'no overrides'}\n")
            codes.append(tell(error))
        return FAILED if FAILED in codes else max(codes, default=DONE)


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
    return sweep(tracking, overrides, failed=lambda: bool(jobs.failures), earlier=earlier)


def launch(task: Task, arguments: Sequence[str]) -> None:
    """Let Hydra act on `arguments`: run the task once, once per job of a sweep, or only show the config."""
    typed = sys.argv
    sys.argv = [typed[0], *arguments]  # Hydra reads the command line itself
    try:
        hydra.main(config_path=str(config_directory()), config_name=CONFIG_NAME, version_base="1.3")(task)()
    finally:
        sys.argv = typed


def nothing(cfg: DictConfig) -> None:
    """Stand for the task where Hydra only shows things."""
