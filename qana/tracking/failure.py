"""Closes a run whose work ended with an error, and says in one line why."""

from __future__ import annotations

import logging

from mlflow.exceptions import MlflowException

from qana.errors import PrunedError, QanaError
from qana.tracking.termination import signal_behind
from qana.tracking.tracked_run import TrackedRun

log = logging.getLogger(__name__)


def close_after(error: BaseException, tracked: TrackedRun) -> None:
    """Record why the run ended. A store that fails now must not hide that reason."""
    pruned = isinstance(error, PrunedError)
    status = "FAILED" if signal_behind(error) is None and not pruned else "KILLED"
    try:
        tracked.set_tags({"pruned": "true"} if pruned else {"failure": _one_line(error)})
        tracked.end(status)
    except MlflowException as secondary:
        log.warning("run %s could not be closed as %s: %s", tracked.run_id, status, secondary)


def _one_line(error: BaseException) -> str:
    """Kind and first line of an error; the line of a QanaError speaks for itself."""
    if type(error).__name__ == "InstantiationException" and error.__cause__ is not None:
        error = error.__cause__  # Hydra's frame around the error of a constructor
    first = (str(error).splitlines() or [""])[0]
    return first if isinstance(error, QanaError) else f"{type(error).__name__}: {first}".removesuffix(": ")
