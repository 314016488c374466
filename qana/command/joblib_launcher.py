"""``hydra/launcher=joblib``: jobs in processes of this machine, started by joblib's loky."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from hydra.core.utils import JobReturn

from qana.command.process_launcher import ProcessLauncher
from qana.command.remote_job import RemoteJob
from qana.errors import QanaError

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class JoblibLauncher(ProcessLauncher):
    """Runs several jobs at once, each worker a pool of one process.

    A pool of many, as in ``hydra-joblib-launcher``, breaks as a whole when one process dies, and takes the
    jobs beside it down.

    Args:
        n_jobs: how many at once; -1 for as many as there are cores.

    Raises:
        QanaError: another number.
    """

    def __init__(self, *, n_jobs: int) -> None:
        if n_jobs < 1 and n_jobs != -1:
            raise QanaError(
                f"{n_jobs} jobs at once are not possible",
                where=f"hydra.launcher.n_jobs = {n_jobs}",
                allowed="a whole number of at least 1, or -1 for one per core",
                fix="type: hydra.launcher.n_jobs=2",
            )
        self._n_jobs = n_jobs

    def run_all(self, packed: Sequence[RemoteJob]) -> list[JobReturn | BaseException]:
        from joblib import cpu_count

        workers = min(cpu_count() if self._n_jobs == -1 else self._n_jobs, len(packed))
        share = str(max(cpu_count() // workers, 1))
        environment = {key: share for key in THREADS if key not in os.environ}
        free = [_pool(environment) for _ in range(workers)]
        waiting, running = deque(enumerate(packed)), dict[Future[JobReturn], tuple[int, Any]]()
        ended: dict[int, JobReturn | BaseException] = {}
        try:
            while waiting or running:
                while waiting and free:
                    number, job = waiting.popleft()
                    pool = free.pop()
                    running[pool.submit(job)] = (number, pool)
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    number, pool = running.pop(future)
                    error = future.exception()
                    ended[number] = future.result() if error is None else error
                    free.append(pool if error is None else _replaced(pool, environment))
        finally:
            for pool in [*free, *(pool for _, pool in running.values())]:
                pool.shutdown(wait=True, kill_workers=True)
        return [ended[number] for number in range(len(packed))]


def _pool(environment: dict[str, str]) -> Any:
    from joblib.externals.loky import ProcessPoolExecutor

    return ProcessPoolExecutor(max_workers=1, env=environment)


def _replaced(pool: Any, environment: dict[str, str]) -> Any:
    pool.shutdown(wait=True, kill_workers=True)
    return _pool(environment)
