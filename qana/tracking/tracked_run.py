"""One run in MLflow while it is going on."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow.tracking import MlflowClient

from qana.tracking.datasets import dataset_inputs
from qana.tracking.entry import Entry, datasets_entry, metrics_entry, send
from qana.tracking.outbox import Outbox, is_away
from qana.tracking.parameters import flatten, split_by_length
from qana.tracking.watcher import Watcher

if TYPE_CHECKING:
    from pytorch_lightning.loggers import Logger

    from qana.dataset.splits import Splits

LONG_PARAMS_FILE = "long_params.json"
log = logging.getLogger(__name__)


class TrackedRun:
    """Writes parameters, metrics, tags and files of one run.

    A server that goes away, for longer than MLflow keeps trying, costs the run nothing: what it misses from
    then on waits in `outbox` for ``qana sync``.

    Args:
        client: client of the store that holds the run.
        uri: tracking URI of that store.
        run_id: the run's id in MLflow.
        watcher: closes the run as KILLED when this process dies before `end`; None leaves that out.
        outbox: for what a server misses; None where a store that fails is an error.
    """

    def __init__(
        self,
        client: MlflowClient,
        *,
        uri: str,
        run_id: str,
        watcher: Watcher | None = None,
        outbox: Outbox | None = None,
    ) -> None:
        self._client, self._uri, self.run_id = client, uri, run_id
        self._watcher, self._outbox = watcher, outbox

    def __getstate__(self) -> dict[str, Any]:
        # A copy in another process, as of distributed training, must not dismiss the watcher of this one.
        return {**self.__dict__, "_watcher": None}

    def log_params(self, config: Mapping[str, Any]) -> None:
        """Log a nested config under dotted keys.

        MLflow cuts parameters off at 6,000 characters; longer ones go whole into ``long_params.json``, and
        the tag ``long_params`` names them.
        """
        short, long = split_by_length(flatten(config))
        self._write(Entry("params", dict(short)))
        if long:
            self.log_text(json.dumps(long, indent=2), LONG_PARAMS_FILE)
            self.set_tags({"long_params": ", ".join(long)})

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log numbers under keys such as ``akida/accuracy`` (see `report_metrics`)."""
        self._write(metrics_entry(metrics, timestamp_ms=int(time.time() * 1000), step=step))

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set text tags, shown and searched in the UI."""
        self._write(Entry("tags", {key: str(value) for key, value in tags.items()}))

    def log_datasets(self, splits: Splits) -> None:
        """Log training, validation, test and external images as dataset inputs, shown in the UI."""
        self._write(datasets_entry(dataset_inputs(splits)))

    def log_artifact(self, path: Path) -> None:
        """Copy one file to the run's artifacts."""
        self._write(Entry("file", str(path)))

    def log_artifacts(self, folder: Path) -> None:
        """Copy everything below `folder` to the run's artifacts, keeping the sub-folders."""
        self._write(Entry("folder", str(folder)))

    def log_text(self, text: str, name: str) -> None:
        """Keep `text` as the artifact `name`."""
        self._write(Entry("text", {"text": text, "name": name}))

    def lightning_logger(self) -> Logger:
        """Give Lightning a logger that writes to this very run."""
        from qana.tracking.run_logger import RunLogger  # Lightning and torch: only where a network is trained

        return RunLogger(self)

    def end(self, status: str) -> None:
        """Close the run as FINISHED, FAILED or KILLED."""
        self._write(Entry("end", status))
        if self._watcher is not None:
            self._watcher.dismiss()

    def _write(self, entry: Entry) -> None:
        if self._outbox is None:
            return send(self._client, self.run_id, entry)
        if not self._outbox.is_open:
            try:
                return send(self._client, self.run_id, entry)
            except Exception as error:
                if not is_away(error):
                    raise
                self._outbox.open(self._uri, self.run_id)
                log.warning(
                    "%s no longer answers; what it misses of run %s is kept in %s; send it later: qana sync",
                    self._uri,
                    self.run_id[:8],
                    self._outbox.folder,
                )
        self._outbox.put(entry)
