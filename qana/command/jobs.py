"""The task that Hydra calls for each job of a command, and how each job ended."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from qana.command.ending import Failure, Pruned, failure
from qana.command.leftovers import remove_leftovers
from qana.command.outcome import DONE, FAILED, user_error_behind
from qana.errors import PrunedError, StageFailedError

Task = Callable[[DictConfig], Any]


class Jobs:
    """The task that Hydra calls for each job; an error is kept here, so that the other jobs still run.

    Args:
        task: runs one job from its config.

    Attributes:
        failures: of each job that failed, in order.
        files: that a sweeper leaves, for the parent run.
    """

    def __init__(self, task: Task) -> None:
        self._task, self._pid, self._typed = task, os.getpid(), list(sys.argv)
        self.failures: list[Failure] = []
        self.files: list[Path] = []

    def __call__(self, cfg: DictConfig) -> Any:
        """Run a job; return its report, or how else it ended."""
        ended = self._ended(cfg, Exception)
        if isinstance(ended, Failure):
            if os.getpid() != self._pid:
                raise StageFailedError(ended.text)  # a launcher of somebody else's carries errors itself
            self.failures.append(ended)
        return ended

    def elsewhere(self, cfg: DictConfig) -> Any:
        """Run a job in another process, for a `ProcessLauncher`, which brings home how it ended."""
        return self._ended(cfg, BaseException)  # a signal to that process ends this job, not the sweep

    def _ended(self, cfg: DictConfig, kept: type[BaseException]) -> Any:
        sys.argv = list(self._typed)  # Lightning starts its other ranks with these
        try:
            return self._task(cfg)
        except PrunedError:
            return Pruned()
        except kept as error:
            job = HydraConfig.get()
            if user_error_behind(error):
                remove_leftovers(Path(job.runtime.output_dir), job.job.name)
            return failure(" ".join(job.overrides.task), error)

    def tell_failures(self, *, named: bool) -> int:
        """Write every failure to stderr and return the exit code of them all: 1 before 2 before 0.

        Args:
            named: whether to say which job it was.
        """
        for each in self.failures:
            if named:
                sys.stderr.write(f"job failed: {each.overrides or 'no overrides'}\n")
            sys.stderr.write(each.text)
        codes = [each.code for each in self.failures]
        return FAILED if FAILED in codes else max(codes, default=DONE)
