"""Ends a phase that no longer gets better, but not before its loss is what it is going to be."""

from __future__ import annotations

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping

from qana.training.classifier import Classifier


class EarlyStop(EarlyStopping):
    """Counts epochs without a better score from the moment on at which the loss has settled.

    Otherwise a phase could end before the re-weighting that its loss defers.
    """

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Classifier)
        if pl_module.progress > pl_module.loss.settled_from:
            super().on_train_epoch_end(trainer, pl_module)
