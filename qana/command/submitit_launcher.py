"""``hydra/launcher=submitit_slurm`` and ``submitit_local``: a job of the cluster, or a process, per job."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from hydra.core.utils import JobReturn

from qana.command.process_launcher import ProcessLauncher
from qana.command.remote_job import RemoteJob
from qana.errors import QanaError

POLL_S = 0.5


class SubmititLauncher(ProcessLauncher):
    """Submits the jobs with submitit and waits for all of them.

    ``hydra-submitit-launcher`` stops waiting at the first job that was lost.

    Args:
        cluster: ``slurm``, or ``local`` for processes of this machine.
        folder: for submitit's scripts, logs and results; every node has to see it.
        parallel_jobs: at most so many at once.
        parameters: submitit's own, such as ``timeout_min``, ``mem_gb`` and ``slurm_partition``; null leaves
            one to the cluster.

    Raises:
        QanaError: no SLURM here, or no job at once.
    """

    def __init__(
        self,
        *,
        cluster: Literal["slurm", "local"],
        folder: str,
        parallel_jobs: int,
        parameters: Mapping[str, Any],
    ) -> None:
        _check(cluster, parallel_jobs)
        self._cluster, self._folder, self._parallel_jobs = cluster, folder, parallel_jobs
        self._parameters = {key: value for key, value in parameters.items() if value is not None}

    def run_all(self, packed: Sequence[RemoteJob]) -> list[JobReturn | BaseException]:
        import submitit

        executor = submitit.AutoExecutor(folder=self._folder, cluster=self._cluster)
        if self._cluster == "slurm":
            executor.update_parameters(slurm_array_parallelism=self._parallel_jobs)
        executor.update_parameters(**self._parameters)
        submitted: list[Any] = []
        try:
            if self._cluster == "slurm":
                submitted = executor.map_array(_call, packed)  # one array, which SLURM limits itself
            else:
                self._submit_in_turn(executor, packed, submitted)
            return [_ended(job) for job in submitted]
        except BaseException:
            for job in submitted:
                if not job.done():
                    job.cancel()
            raise

    def _submit_in_turn(self, executor: Any, packed: Sequence[RemoteJob], submitted: list[Any]) -> None:
        for job in packed:
            while sum(not each.done() for each in submitted) >= self._parallel_jobs:
                time.sleep(POLL_S)
            submitted.append(executor.submit(_call, job))


def _call(job: RemoteJob) -> JobReturn:
    return job()


def _ended(job: Any) -> JobReturn | BaseException:
    error = job.exception()  # waits for its end
    if error is not None:
        return _brief(error)
    ended: JobReturn = job.result()
    return ended


def _brief(error: BaseException) -> BaseException:
    """Submitit's message repeats the whole log of the job."""
    return type(error)((str(error).strip().splitlines() or ["no result"])[0])


def _check(cluster: str, parallel_jobs: int) -> None:
    if cluster == "slurm" and shutil.which("sbatch") is None:
        raise QanaError(
            "this machine has no SLURM: there is no command sbatch",
            where="hydra/launcher=submitit_slurm",
            allowed="a login node of a cluster; elsewhere hydra/launcher=submitit_local, joblib or ray",
            fix="log in to the cluster, or choose hydra/launcher=joblib",
        )
    if parallel_jobs < 1:
        raise QanaError(
            f"{parallel_jobs} jobs at once are not possible",
            where=f"hydra.launcher.parallel_jobs = {parallel_jobs}",
            allowed="a whole number of at least 1",
            fix="type: hydra.launcher.parallel_jobs=2",
        )
