"""Ends a phase on its best weights instead of its last."""

from __future__ import annotations

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint


class RestoreBest(Callback):
    """Puts the best weights of a phase back before the callbacks behind it look at the network."""

    def __init__(self, checkpoint: ModelCheckpoint) -> None:
        self._checkpoint = checkpoint

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        path = self._checkpoint.best_model_path
        if path:
            state = torch.load(path, map_location=pl_module.device, weights_only=True)["state_dict"]
            pl_module.load_state_dict(state)
