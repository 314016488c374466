"""A sweep as one MLflow run with a nested run for each job."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE
from rich.table import Table

from qana.console import console
from qana.tracking.earlier import KIND, Earlier
from qana.tracking.experiment_page import comparison_note
from qana.tracking.mlflow_tracking import MlflowTracking
from qana.tracking.outbox import is_away
from qana.tracking.sweep_table import SweepRow, as_csv, sweep_rows
from qana.tracking.termination import signal_behind

# An environment variable, because a launcher may start its jobs in processes of their own.
PARENT_RUN_VARIABLE = "QANA_PARENT_RUN"


def parent_run_id() -> str | None:
    """Id of the sweep that this job belongs to, or None for a run of its own."""
    return os.environ.get(PARENT_RUN_VARIABLE)


@contextmanager
def sweep(
    tracking: MlflowTracking,
    overrides: Sequence[str],
    failed: Callable[[], bool],
    files: Sequence[Path] = (),
    earlier: Earlier | None = None,
) -> Iterator[None]:
    """Open the parent run of a sweep; close it with a table of its jobs (``sweep.csv``) and links.

    Args:
        tracking: where the jobs are tracked, too.
        overrides: of the whole sweep, as typed.
        failed: asked at the end whether any job failed; the parent is then FAILED as well.
        files: to keep beside the table; those that are there at the end.
        earlier: what there is of a sweep that is resumed; its parent is opened again where it has one.
    """
    typed = " ".join(overrides)
    if earlier is not None and earlier.parent is not None:
        parent = tracking.reopen(earlier.parent)
    else:
        parent = tracking.start(f"sweep {typed}".strip(), tags={"overrides": typed, "kind": KIND})
    os.environ[PARENT_RUN_VARIABLE] = parent.run_id
    status = "FAILED"
    try:
        yield
        status = "FAILED" if failed() else "FINISHED"
    except BaseException as error:
        status = "FAILED" if signal_behind(error) is None else "KILLED"
        raise
    finally:
        del os.environ[PARENT_RUN_VARIABLE]
        rows = _rows(tracking.uri, parent.run_id, () if earlier is None else earlier.run_ids)
        if rows is not None:
            parent.log_text(as_csv(rows), "sweep.csv")
            finished = [row.run_id for row in rows if row.status == "FINISHED"]
            parent.set_tags({MLFLOW_RUN_NOTE: comparison_note(str(tracking.experiment_id), finished)})
            console.print(_table(rows))
        for path in filter(Path.is_file, files):
            parent.log_artifact(path)
        parent.end(status)


def _rows(uri: str, parent_run_id: str, others: Sequence[str]) -> list[SweepRow] | None:
    """The jobs of the sweep; None where the server has gone away, as the jobs cannot be read back then."""
    try:
        return sweep_rows(uri, parent_run_id, others)
    except MlflowException as error:
        if not is_away(error):
            raise
        return None


def _table(rows: Sequence[SweepRow]) -> Table:
    """What tells the jobs apart, a line each; what they have in common stands below."""
    typed = [row.overrides.split() for row in rows]
    common = [word for word in typed[0] if all(word in words for words in typed)] if len(rows) > 1 else []
    table = Table(title="sweep", caption=f"all: {' '.join(common)}" if common else None)
    for column in ("job", "overrides", "status", "stage"):
        table.add_column(column, overflow="fold")
    for column in ("accuracy", "macro F1"):
        table.add_column(column, justify="right", no_wrap=True)
    for row, words in zip(rows, typed, strict=True):
        own = " ".join(word for word in words if word not in common)
        scores = (_percent(row.accuracy), _percent(row.macro_f1))
        table.add_row(row.name, own, row.status, row.stage or "-", *scores)
    return table


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
