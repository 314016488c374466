"""Averaged weights: validated, saved and converted in place of the last ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

AveragingKind = Literal["none", "ema", "swa"]
NORM_STATISTICS = ("running_mean", "running_var")


class Averaging(Callback):
    """Keeps an average of the weights that training steps through.

    ``ema``: decay * average + (1 - decay) * weights after every step (Polyak and Juditsky 1992);
    ``swa``: the plain mean (Izmailov et al. 2018, arXiv:1803.05407), here of every step's weights at the
    schedule's own rate. Both by `torch.optim.swa_utils.AveragedModel`.

    The average is what validation scores and what a checkpoint holds, from the first step that it counts.

    Args:
        kind: ``ema`` or ``swa``.
        decay: of ``ema``, 0 to 1.
        start: share of the phase's steps before the average begins, 0 to below 1.
        untrained: whether the phase begins with an untrained network. Then ``ema`` forgets the beginning
            fast: its decay is min(decay, (1 + t) / (10 + t)) at the t-th update, as TensorFlow's
            `ExponentialMovingAverage` has it; and the running statistics of norms, not folded yet, are
            averaged with the weights. Other buffers (the annealing of gates) are those of the last step.
    """

    def __init__(self, *, kind: AveragingKind, decay: float, start: float, untrained: bool = False) -> None:
        self._kind, self._decay, self._start = kind, decay, start
        self._untrained = untrained
        self._first_step = 0
        self._average: AveragedModel | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._first_step = int(self._start * float(trainer.estimated_stepping_batches))
        average = self._ema() if self._kind == "ema" else None
        self._average = AveragedModel(_network(pl_module), multi_avg_fn=average, use_buffers=self._untrained)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._average is not None and trainer.global_step > self._first_step:
            self._average.update_parameters(_network(pl_module))
            _take_other_buffers(self._average.module, _network(pl_module))

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._swap(pl_module)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._swap(pl_module)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        average = self._begun()
        if average is not None:
            state = average.module.state_dict()
            checkpoint["state_dict"].update({f"network.{name}": value for name, value in state.items()})

    def _ema(self) -> Callable[..., None]:
        """What `AveragedModel` calls: tensors of the average, those of the network, number of the update."""
        if not self._untrained:
            return get_ema_multi_avg_fn(self._decay)

        def ramped(averages: list[Tensor], values: list[Tensor], updates: Tensor | int) -> None:
            decay = min(self._decay, (1 + int(updates)) / (10 + int(updates)))
            get_ema_multi_avg_fn(decay)(averages, values, updates)

        return ramped

    def _begun(self) -> AveragedModel | None:
        started = self._average is not None and int(self._average.n_averaged) > 0
        return self._average if started else None

    @torch.no_grad()
    def _swap(self, pl_module: pl.LightningModule) -> None:
        average = self._begun()
        if average is None:
            return
        for ours, theirs in zip(_values(average.module), _values(_network(pl_module)), strict=True):
            kept = ours.clone()
            ours.copy_(theirs)
            theirs.copy_(kept)


def _network(module: pl.LightningModule) -> nn.Module:
    network = module.network
    assert isinstance(network, nn.Module)
    return network


@torch.no_grad()
def _take_other_buffers(average: nn.Module, network: nn.Module) -> None:
    """Copy every buffer that is no statistic of a norm."""
    theirs = dict(network.named_buffers())
    for name, ours in average.named_buffers():
        if not name.endswith(NORM_STATISTICS):
            ours.copy_(theirs[name])


def _values(network: nn.Module) -> Iterator[Tensor]:
    return chain(network.parameters(), network.buffers())
