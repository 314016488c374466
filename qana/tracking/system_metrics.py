"""What a run asks of its machine: processor, memory, disk, network and NVIDIA GPU, under ``system/``."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

INTERVAL_S = 10
PATIENCE_S = 10.0
_LOGGER = "mlflow.system_metrics"


@contextmanager
def system_metrics(uri: str, run_id: str) -> Iterator[None]:
    """Log the machine's load every 10 s, or MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL, while the block runs.

    A store that no longer answers costs these numbers and `PATIENCE_S`, not the run.

    Args:
        uri: of the store.
        run_id: of the run, which must be going on.
    """
    logging.getLogger(_LOGGER).setLevel(logging.ERROR)  # the terminal belongs to the progress bars
    monitor = SystemMetricsMonitor(run_id, sampling_interval=INTERVAL_S, tracking_uri=uri)
    monitor.start()
    try:
        yield
    finally:
        # `finish` waits for a request that may be tried again for minutes.
        last = threading.Thread(target=monitor.finish, daemon=True)
        last.start()
        last.join(PATIENCE_S)
