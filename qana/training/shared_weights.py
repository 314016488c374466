"""Keeps a network's symmetry while it trains."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from qana.backbone.symmetry import Shared, share_gradients, share_values, shared_by, units_of


class SharedWeights(Callback):
    """Averages gradients and norm statistics over what the orbits of a symmetric network share.

    Does nothing where `symmetry` of the network is ``none``, or it has none. Has to come before whatever
    reads the weights of a step, such as `Averaging`.
    """

    def __init__(self) -> None:
        self._shared: list[Shared] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        network: Any = pl_module.network
        symmetry = getattr(network, "symmetry", "none")
        self._shared = shared_by(units_of(network), symmetry)

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        share_gradients(self._shared)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        share_values(self._shared)
