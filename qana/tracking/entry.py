"""What is written to a run, entry by entry: data that can be sent now, or kept as text and sent later."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.validation import MAX_METRICS_PER_BATCH, MAX_PARAMS_TAGS_PER_BATCH

DATASET_ATTEMPTS = 3


@dataclass(frozen=True)
class Entry:
    """One thing to write to a run.

    Attributes:
        kind: ``params``, ``metrics``, ``tags``, ``datasets``, ``text``, ``file``, ``folder`` or ``end``.
        data: JSON; of ``file`` and ``folder`` the path.
    """

    kind: str
    data: Any


def metrics_entry(metrics: Mapping[str, float], *, timestamp_ms: int, step: int) -> Entry:
    """Numbers under keys such as ``akida/accuracy``, with the time at which they were measured."""
    return Entry("metrics", [[key, float(value), timestamp_ms, step] for key, value in metrics.items()])


def datasets_entry(inputs: Iterable[DatasetInput]) -> Entry:
    """Dataset inputs, as `dataset_inputs` makes them."""
    return Entry("datasets", [each.to_dictionary() for each in inputs])


def send(client: MlflowClient, run_id: str, entry: Entry) -> None:
    """Write an entry to a run. Sent twice, it leaves what it leaves when sent once.

    Args:
        client: of the store that holds the run.
        run_id: of the run.
        entry: what to write.
    """
    _SENDERS[entry.kind](client, run_id, entry.data)


def _send_params(client: MlflowClient, run_id: str, data: Mapping[str, str]) -> None:
    for batch in _batches([Param(*item) for item in data.items()], MAX_PARAMS_TAGS_PER_BATCH):
        client.log_batch(run_id, params=batch)


def _send_metrics(client: MlflowClient, run_id: str, data: list[list[Any]]) -> None:
    for batch in _batches([Metric(*row) for row in data], MAX_METRICS_PER_BATCH):
        client.log_batch(run_id, metrics=batch)


def _send_tags(client: MlflowClient, run_id: str, data: Mapping[str, str]) -> None:
    for batch in _batches([RunTag(*item) for item in data.items()], MAX_PARAMS_TAGS_PER_BATCH):
        client.log_batch(run_id, tags=batch)


def _send_datasets(client: MlflowClient, run_id: str, data: list[Mapping[str, Any]]) -> None:
    inputs = [
        DatasetInput(Dataset(**each["dataset"]), tags=[InputTag(*tag) for tag in each["tags"].items()])
        for each in data
    ]
    for attempts_left in reversed(range(DATASET_ATTEMPTS)):
        try:
            return client.log_inputs(run_id, datasets=inputs)
        except MlflowException as error:
            # Another run entered the same dataset between MLflow's look and its write; now it is there.
            if "IntegrityError" not in str(error) or not attempts_left:
                raise


def _send_text(client: MlflowClient, run_id: str, data: Mapping[str, str]) -> None:
    client.log_text(run_id, data["text"], data["name"])


def _send_file(client: MlflowClient, run_id: str, data: str) -> None:
    client.log_artifact(run_id, data)


def _send_folder(client: MlflowClient, run_id: str, data: str) -> None:
    client.log_artifacts(run_id, data)


def _send_end(client: MlflowClient, run_id: str, data: str) -> None:
    client.set_terminated(run_id, data)


_SENDERS: Mapping[str, Callable[[MlflowClient, str, Any], None]] = {
    "params": _send_params,
    "metrics": _send_metrics,
    "tags": _send_tags,
    "datasets": _send_datasets,
    "text": _send_text,
    "file": _send_file,
    "folder": _send_folder,
    "end": _send_end,
}


def _batches(rows: list[Any], size: int) -> Iterable[list[Any]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))
