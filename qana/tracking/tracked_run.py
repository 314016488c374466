"""One run in MLflow while it is going on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.validation import MAX_METRICS_PER_BATCH, MAX_PARAMS_TAGS_PER_BATCH

from qana.tracking.datasets import dataset_inputs
from qana.tracking.parameters import flatten, split_by_length
from qana.tracking.watcher import Watcher

if TYPE_CHECKING:
    from pytorch_lightning.loggers import MLFlowLogger

    from qana.dataset.splits import Splits

LONG_PARAMS_FILE = "long_params.json"
DATASET_ATTEMPTS = 3


class TrackedRun:
    """Writes parameters, metrics, tags and files of one run.

    Args:
        client: client of the store that holds the run.
        uri: tracking URI of that store.
        run_id: the run's id in MLflow.
        watcher: closes the run as KILLED when this process dies before `end`; None leaves that out.
    """

    def __init__(
        self, client: MlflowClient, *, uri: str, run_id: str, watcher: Watcher | None = None
    ) -> None:
        self._client, self._uri, self.run_id = client, uri, run_id
        self._watcher = watcher

    def __getstate__(self) -> dict[str, Any]:
        # A copy in another process, as of distributed training, must not dismiss the watcher of this one.
        return {**self.__dict__, "_watcher": None}

    def log_params(self, config: Mapping[str, Any]) -> None:
        """Log a nested config under dotted keys.

        MLflow cuts parameters off at 6,000 characters; longer ones go whole into ``long_params.json``, and
        the tag ``long_params`` names them.
        """
        short, long = split_by_length(flatten(config))
        params = [Param(key, text) for key, text in short.items()]
        for start in range(0, len(params), MAX_PARAMS_TAGS_PER_BATCH):
            self._client.log_batch(self.run_id, params=params[start : start + MAX_PARAMS_TAGS_PER_BATCH])
        if long:
            self._client.log_dict(self.run_id, long, LONG_PARAMS_FILE)
            self.set_tags({"long_params": ", ".join(long)})

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log numbers under keys such as ``akida/accuracy`` (see `report_metrics`)."""
        now_ms = int(time.time() * 1000)
        rows = [Metric(key, float(value), now_ms, step) for key, value in metrics.items()]
        for start in range(0, len(rows), MAX_METRICS_PER_BATCH):
            self._client.log_batch(self.run_id, metrics=rows[start : start + MAX_METRICS_PER_BATCH])

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set text tags, shown and searched in the UI."""
        rows = [RunTag(key, str(value)) for key, value in tags.items()]
        for start in range(0, len(rows), MAX_PARAMS_TAGS_PER_BATCH):
            self._client.log_batch(self.run_id, tags=rows[start : start + MAX_PARAMS_TAGS_PER_BATCH])

    def log_datasets(self, splits: Splits) -> None:
        """Log training, validation, test and external images as dataset inputs, shown in the UI."""
        inputs = dataset_inputs(splits)
        for attempts_left in reversed(range(DATASET_ATTEMPTS)):
            try:
                return self._client.log_inputs(self.run_id, datasets=inputs)
            except MlflowException as error:
                # Another run entered the same dataset between MLflow's look and its write; now it is there.
                if "IntegrityError" not in str(error) or not attempts_left:
                    raise

    def log_artifact(self, path: Path) -> None:
        """Copy one file to the run's artifacts."""
        self._client.log_artifact(self.run_id, str(path))

    def log_artifacts(self, folder: Path) -> None:
        """Copy everything below `folder` to the run's artifacts, keeping the sub-folders."""
        self._client.log_artifacts(self.run_id, str(folder))

    def log_text(self, text: str, name: str) -> None:
        """Keep `text` as the artifact `name`."""
        self._client.log_text(self.run_id, text, name)

    def lightning_logger(self) -> MLFlowLogger:
        """Give Lightning a logger that writes to this very run."""
        from qana.tracking.run_logger import RunLogger  # Lightning and torch: only where a network is trained

        return RunLogger(tracking_uri=self._uri, run_id=self.run_id)

    def end(self, status: str) -> None:
        """Close the run as FINISHED, FAILED or KILLED."""
        self._client.set_terminated(self.run_id, status)
        if self._watcher is not None:
            self._watcher.dismiss()
