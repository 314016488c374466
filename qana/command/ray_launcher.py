"""``hydra/launcher=ray``: jobs as Ray tasks, on this machine or a cluster.

``hydra-ray-launcher`` wants a cloudpickle and a boto3 of years ago, which MLflow and joblib do not go with.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn

from qana.command.process_launcher import ProcessLauncher
from qana.command.remote_job import RemoteJob
from qana.errors import QanaError


class RayLauncher(ProcessLauncher):
    """Gives every job to Ray; a worker that dies takes its own job with it, and no other.

    Args:
        address: of a running cluster, such as ``auto``; null to start one here, which ends with the sweep. A
            cluster has to see the current folder, and this package, where this machine does.
        workers: jobs at once on a cluster of our own; null for one per core. A running one knows its size.
        cpus_per_job: cores that Ray sets aside for a job, more than 0.
        gpus_per_job: GPUs, or a share of one.

    Raises:
        QanaError: a number out of range.
    """

    def __init__(
        self, *, address: str | None, workers: int | None, cpus_per_job: float, gpus_per_job: float
    ) -> None:
        if (workers is not None and workers < 1) or cpus_per_job <= 0 or gpus_per_job < 0:
            raise QanaError(
                "Ray cannot share the machine like that",
                where=f"hydra.launcher: workers = {workers}, cpus_per_job = {cpus_per_job},"
                f" gpus_per_job = {gpus_per_job}",
                allowed="at least 1 worker, or null; more than 0 cpus; at least 0 gpus",
                fix="type: hydra.launcher.workers=2",
            )
        self._address, self._workers = address, workers
        self._resources = {"num_cpus": cpus_per_job, "num_gpus": gpus_per_job}

    def run_all(self, packed: Sequence[RemoteJob]) -> list[JobReturn | BaseException]:
        import ray

        self._connect(ray)
        options: dict[str, Any] = {**self._resources, "max_retries": 0}
        task = ray.remote(**options)(_call)
        promised = [task.remote(job) for job in packed]
        return [_ended(ray, promise) for promise in promised]

    def _connect(self, ray: Any) -> None:
        """Open the cluster, once for all batches of a sweep; Ray closes it when this process leaves."""
        if ray.is_initialized():
            return
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is told to Ray's makers
        # Ray would run the jobs at niceness 15, behind everything else on the machine.
        os.environ.setdefault("RAY_worker_niceness", "0")
        if self._address is not None:
            ray.init(address=self._address, logging_level="error")
            return
        workers = self._workers or os.cpu_count() or 1
        size = max(round(workers * self._resources["num_cpus"]), 1)
        ray.init(address="local", num_cpus=size, include_dashboard=False, logging_level="error")


def _call(job: RemoteJob) -> JobReturn:
    return job()


def _ended(ray: Any, promise: Any) -> JobReturn | BaseException:
    try:
        ended: JobReturn = ray.get(promise)
        return ended
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None)  # what was raised there, where the worker lived on
        return cause if isinstance(cause, BaseException) else error
