"""The LightningModule: loss, schedule and validation scores, for the float and the quantized network."""

from __future__ import annotations

from typing import Any, Literal

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from qana.backbone.attention import set_gate_annealing
from qana.training.parameter_groups import parameter_groups

Schedule = Literal["one_cycle", "cosine"]


class Classifier(pl.LightningModule):
    """Trains one network for one phase.

    Args:
        network: pixels (N, 3, H, W), float 0 to 255, to logits (N, classes).
        num_classes: classes.
        phase: ``float`` or ``quantized``; prefix of every metric.
        learning_rate: peak of the schedule.
        weight_decay: of AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101), not on biases or norms.
        schedule: ``one_cycle`` (Smith 2018, arXiv:1708.07120) or ``cosine`` without warm-up.
        warmup_share: share of the steps in which one_cycle rises.
        label_smoothing: of the cross-entropy.
        gate_annealing: shares of the epochs between which gates move from data-dependent to constant.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        num_classes: int,
        phase: str,
        learning_rate: float,
        weight_decay: float,
        schedule: Schedule,
        warmup_share: float,
        label_smoothing: float,
        gate_annealing: tuple[float, float],
    ) -> None:
        super().__init__()
        self.network, self.phase = network, phase
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.schedule, self.warmup_share = schedule, warmup_share
        self.label_smoothing, self.gate_annealing = label_smoothing, gate_annealing
        self.accuracy = MulticlassAccuracy(num_classes, average="micro")
        self.macro_f1 = MulticlassF1Score(num_classes, average="macro")

    @property
    def monitored(self) -> str:
        """The metric that chooses the best checkpoint."""
        return f"{self.phase}/val_macro_f1"

    def on_train_epoch_start(self) -> None:
        start, end = self.gate_annealing
        epochs = self.trainer.max_epochs or 1
        done = self.current_epoch / max(epochs - 1, 1)
        set_gate_annealing(self.network, 1.0 if done >= end else (done - start) / (end - start))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, target = batch
        # Channels last: a third faster on a processor for networks of 1x1 and depthwise convolutions.
        images = images.contiguous(memory_format=torch.channels_last)
        loss = F.cross_entropy(self.network(images), target, label_smoothing=self.label_smoothing)
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"the {self.phase} loss is {loss.item()} in epoch {self.current_epoch}, step {batch_idx};"
                " lower the learning rate"
            )
        self.log(
            f"{self.phase}/train_loss",
            loss,
            on_step=False,
            on_epoch=True,
            batch_size=len(target),
            sync_dist=True,
        )
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        images, target = batch
        logits = self.network(images)
        loss = F.cross_entropy(logits, target)
        self.accuracy(logits, target)
        self.macro_f1(logits, target)
        self.log(f"{self.phase}/val_loss", loss, batch_size=len(target), sync_dist=True)
        self.log(f"{self.phase}/val_accuracy", self.accuracy, on_epoch=True, batch_size=len(target))
        self.log(self.monitored, self.macro_f1, on_epoch=True, batch_size=len(target))

    def configure_optimizers(self) -> Any:
        groups = parameter_groups(
            self.network, learning_rate=self.learning_rate, weight_decay=self.weight_decay
        )
        optimizer = torch.optim.AdamW(groups)
        steps = max(int(self.trainer.estimated_stepping_batches), 2)
        scheduler: torch.optim.lr_scheduler.LRScheduler
        if self.schedule == "one_cycle":
            peaks = [group["lr"] for group in optimizer.param_groups]
            scheduler = torch.optim.lr_scheduler.OneCycleLR(
                optimizer, max_lr=peaks, total_steps=steps, pct_start=self.warmup_share
            )
        else:
            scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
