"""What the launchers with processes of their own share: a job that fails, or dies, does not stop the others.

Hydra's own plugins stop with the first job whose process is gone, and keep how a job ended to themselves.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, configure_log, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from qana.command.ending import Failure, lost
from qana.command.jobs import Jobs
from qana.command.remote_job import RemoteJob, environment_to_carry


class ProcessLauncher(Launcher):
    """Packs the jobs, lets a subclass run them, and keeps what failed where the serial launcher does."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        assert isinstance(task_function, Jobs)
        self._context, self._jobs, self._config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        setup_globals()
        configure_log(self._config.hydra.hydra_logging, self._config.hydra.verbose)
        Path(str(self._config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
        packed = [self._packed(each, number) for number, each in enumerate(job_overrides, initial_job_idx)]
        ended = self.run_all(packed)
        return [self._returned(job, end) for job, end in zip(packed, ended, strict=True)]

    @abstractmethod
    def run_all(self, packed: Sequence[RemoteJob]) -> list[JobReturn | BaseException]:
        """Run every job in another process, and give how each ended, in their order.

        An error stands for a job whose process was lost; one inside a job is in what the job returns.
        """

    def _packed(self, overrides: Sequence[str], number: int) -> RemoteJob:
        config = self._context.config_loader.load_sweep_config(self._config, list(overrides))
        with open_dict(config):
            config.hydra.job.id, config.hydra.job.num = str(number), number
        return RemoteJob(
            overrides=" ".join(config.hydra.overrides.task),
            config=config,
            context=self._context,
            jobs=self._jobs,
            singletons=Singleton.get_state(),
            folder=os.getcwd(),
            environment=environment_to_carry(),
        )

    def _returned(self, job: RemoteJob, ended: JobReturn | BaseException) -> JobReturn:
        if isinstance(ended, JobReturn) and ended.status == JobStatus.COMPLETED:
            returned = ended
        else:
            error = ended if isinstance(ended, BaseException) else ended._return_value
            returned = JobReturn(overrides=job.overrides.split(), status=JobStatus.COMPLETED)
            returned.return_value = lost(job.overrides, error)
        if isinstance(returned.return_value, Failure):
            self._jobs.failures.append(returned.return_value)
        return returned
