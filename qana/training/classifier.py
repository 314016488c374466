"""The LightningModule: loss, schedule and validation scores, for the float and the quantized network."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from qana.backbone.attention import set_gate_annealing
from qana.dataset import Augmentation
from qana.training.fine_tuning import Term
from qana.training.loss import Loss
from qana.training.parameter_groups import parameter_groups

Batch = tuple[Tensor, Tensor]
Schedule = Literal["one_cycle", "cosine"]


class Classifier(pl.LightningModule):
    """Trains one network for one phase.

    Args:
        network: pixels (N, 3, H, W), float 0 to 255, to logits (N, classes).
        num_classes: classes.
        phase: ``float`` or ``quantized``; prefix of every metric.
        progress: share of the whole training that is done before and after this phase, for the loss.
        loss: what a step minimises, already told the class counts. Validation uses the plain cross-entropy.
        augmentation: of training batches, where they are trained on; None leaves them as they are.
        learning_rate: peak of the schedule.
        weight_decay: of AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101), not on biases or norms.
        schedule: ``one_cycle`` (Smith 2018, arXiv:1708.07120) or ``cosine`` without warm-up.
        warmup_share: share of the steps in which one_cycle rises.
        gate_annealing: shares of the epochs between which gates move from data-dependent to constant.
        seed: of the augmentation.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        num_classes: int,
        phase: str,
        progress: tuple[float, float],
        loss: Loss,
        augmentation: Augmentation | None,
        learning_rate: float,
        weight_decay: float,
        schedule: Schedule,
        warmup_share: float,
        gate_annealing: tuple[float, float],
        seed: int,
    ) -> None:
        super().__init__()
        self.network, self.phase, self.num_classes = network, phase, num_classes
        self.phase_progress, self.loss = progress, loss
        self.augmentation, self.seed = augmentation, seed
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.schedule, self.warmup_share = schedule, warmup_share
        self.gate_annealing = gate_annealing
        self._phase_steps = 1
        self.terms: list[Term] = []  # parts of the loss that come on top
        self.accuracy = MulticlassAccuracy(num_classes, average="micro")
        self.macro_f1 = MulticlassF1Score(num_classes, average="macro")

    @property
    def monitored(self) -> str:
        """The metric that chooses the best checkpoint."""
        return f"{self.phase}/val_macro_f1"

    @property
    def progress(self) -> float:
        """Share of the whole training that is done, 0 to 1; see `Training`."""
        start, end = self.phase_progress
        return start + (end - start) * min(self.trainer.global_step / self._phase_steps, 1.0)

    def on_train_start(self) -> None:
        self._phase_steps = max(int(self.trainer.estimated_stepping_batches), 1)

    def on_train_epoch_start(self) -> None:
        start, end = self.gate_annealing
        epochs = self.trainer.max_epochs or 1
        done = self.current_epoch / max(epochs - 1, 1)
        set_gate_annealing(self.network, 1.0 if done >= end else (done - start) / (end - start))

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Make floats of the bytes that came and, in training, augment them."""
        images, target = batch
        images = images.to(torch.float32)
        if self.augmentation is None or not self.trainer.training:
            return images, target
        return self.augmentation(images, target, self._draws(), num_classes=self.num_classes)

    def _draws(self) -> torch.Generator:
        """A generator for the coming batch alone, so that a resumed run goes on with the same draws."""
        coming = self.trainer.fit_loop.batch_idx + 1
        entropy = (self.seed, self.current_epoch, self.global_rank, coming)
        state = np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]
        return torch.Generator().manual_seed(int(state >> np.uint64(1)))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        images, target = batch
        # Channels last: a third faster on a processor for networks of 1x1 and depthwise convolutions.
        images = images.contiguous(memory_format=torch.channels_last)
        logits = self.network(images).float()  # mixed precision hands over halves
        loss: Tensor = self.loss(logits, target, self.progress)
        for term in self.terms:
            value = term(images, logits)
            self.log(
                f"{self.phase}/{term.name}",
                value.detach(),
                on_step=False,
                on_epoch=True,
                batch_size=len(target),
                sync_dist=True,
            )
            loss = loss + value
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

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
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
