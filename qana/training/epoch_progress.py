"""One progress bar for a whole phase of training, with the best validation score so far."""

from __future__ import annotations

import pytorch_lightning as pl
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from qana.console import console


class EpochProgress(pl.Callback):
    """Counts steps; shows the monitored metric of the last epoch and the best one.

    Args:
        description: left of the bar.
        monitored: metric to show, such as ``float/val_macro_f1``.
    """

    def __init__(self, description: str, monitored: str) -> None:
        self._description, self._monitored = description, monitored
        self._best = float("-inf")
        self._bar: Progress | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        columns = (
            TextColumn("{task.description:<34}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[score]}"),
        )
        self._bar = Progress(*columns, console=console)
        self._task = self._bar.add_task(
            self._description, total=int(trainer.estimated_stepping_batches), score=""
        )
        self._bar.start()

    def on_train_batch_end(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.advance(self._task)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._bar is None or trainer.sanity_checking:
            return
        score = float(trainer.callback_metrics[self._monitored])
        self._best = max(self._best, score)
        text = f"val macro F1 {score:.3f} (best {self._best:.3f})"
        self._bar.update(self._task, score=text)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._stop()

    def on_exception(self, *_: object) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
