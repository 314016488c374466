"""Lets a search give up a run whose validation score lags behind those of other trials."""

from __future__ import annotations

import pytorch_lightning as pl

from qana.search.epoch_scores import report_epoch


class Pruning(pl.Callback):
    """Reports every epoch to the study of a search; outside of one it does nothing.

    On several devices only the first would know that the run is given up: those run to their end.

    Args:
        monitored: metric, such as ``float/val_macro_f1``.
    """

    def __init__(self, monitored: str) -> None:
        self._monitored = monitored

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.world_size == 1:
            report_epoch(float(trainer.callback_metrics[self._monitored]))
