"""The runs of one sweep side by side, read back from the store that holds them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

COLUMNS = ("accuracy", "macro_f1")
# The last stage of a run that has been scored is what it ends with: a program, or what it trained.
STAGES = ("akida", "snn", "torch", "float")
MAX_RUNS = 1000


@dataclass(frozen=True)
class SweepRow:
    """One run of a sweep.

    Attributes:
        run_id: id in MLflow.
        name: the run's name.
        overrides: what this run changed, as typed; empty where the run recorded none.
        status: FINISHED, FAILED, KILLED or RUNNING.
        stage: the last one that was scored: ``akida``, ``snn``, ``torch`` or ``float``; None where none was.
        accuracy: of that stage on the test images, 0 to 1; None as `stage`.
        macro_f1: as `accuracy`.
    """

    run_id: str
    name: str
    overrides: str
    status: str
    stage: str | None
    accuracy: float | None
    macro_f1: float | None


def sweep_rows(uri: str, parent_run_id: str, others: Sequence[str] = ()) -> list[SweepRow]:
    """Read the runs nested in `parent_run_id` and the `others`, oldest first.

    Of several attempts at one job, told by its overrides, the last stands; the others stay in the store.
    """
    client = MlflowClient(tracking_uri=uri)
    experiment_id = client.get_run(parent_run_id).info.experiment_id
    children = client.search_runs(
        [experiment_id],
        filter_string=f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent_run_id}'",
        order_by=["attributes.start_time ASC"],
        max_results=MAX_RUNS,
    )
    nested = {child.info.run_id for child in children}
    runs = [*(client.get_run(other) for other in others if other not in nested), *children]
    rows = [_row(run) for run in sorted(runs, key=lambda run: run.info.start_time)]
    return list({row.overrides or row.run_id: row for row in rows}.values())


def as_csv(rows: list[SweepRow]) -> str:
    """Write the rows as CSV with a header; a missing number is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(SweepRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()


def _row(run: Run) -> SweepRow:
    metrics = run.data.metrics
    stage = next((stage for stage in STAGES if f"{stage}/{COLUMNS[0]}" in metrics), None)
    numbers = {column: metrics.get(f"{stage}/{column}") for column in COLUMNS}
    overrides = run.data.tags.get("overrides", "")
    return SweepRow(run.info.run_id, run.info.run_name, overrides, run.info.status, stage, **numbers)
