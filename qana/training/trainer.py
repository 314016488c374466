"""What `training=` chooses: a float phase, then a quantized one, each ending on its best validation score."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.loggers import Logger
from torch import nn

from qana.backbone.network import Network
from qana.dataset import Augmentation, EvalBatches, Sampler, Splits, TrainBatches
from qana.errors import QanaError
from qana.quantization import Quantization
from qana.quantization.soundness import require_living
from qana.training.averaging import Averaging, AveragingKind
from qana.training.classifier import Classifier, Schedule
from qana.training.distillation import Distillation
from qana.training.early_stop import EarlyStop
from qana.training.epoch_progress import EpochProgress
from qana.training.fine_tuning import FineTuning, Term
from qana.training.float_phase import take_float_phase
from qana.training.lightning_hushed import lightning_hushed
from qana.training.loss import Loss
from qana.training.phase import Phase
from qana.training.pruning import Pruning
from qana.training.restore_best import RestoreBest
from qana.training.shared_weights import SharedWeights


class Training:
    """Trains a float network and, with a quantization, its quantized twin.

    What changes in the course of a training (class weights that a loss defers, a progressive sampler) changes
    in the float phase: its progress is the share of its steps that is done, 0 to 1. The quantized phase
    fine-tunes at progress 1, as the last epoch of the float phase does, also where that stopped earlier. A
    float phase never stops early before its loss has settled.

    Args:
        float_epochs: epochs of the float phase, at least 1.
        teacher: folder of an earlier run whose float network teaches in the float phase, or folders of
            several, which teach the mean of their logits; null for none.
        teacher_weight: of what it says in the loss, see `Distillation`; positive.
        teacher_temperature: softens the logits of both; positive.
        float_averaging: ``none``, ``ema`` or ``swa``: the float phase is validated by, and ends on, an
            average of its weights and of the statistics of its norms; see `Averaging`.
        float_averaging_decay: of ``ema``, 0 to below 1, less in the first steps.
        float_averaging_start: share of the float phase before the average begins, 0 to below 1.
        float_from: folder of an earlier run whose float network is taken instead of trained; null to train.
        quantized_epochs: epochs of quantization-aware training, at least 1.
        learning_rate: peak rate of the float phase.
        quantized_learning_rate: peak rate of the quantized phase.
        weight_decay: see `Classifier`.
        quantized_weight_decay: that of the quantized phase, where no norm behind a layer makes up for smaller
            weights; null for `weight_decay`.
        schedule: see `Classifier`.
        warmup_share: see `Classifier`.
        loss: what is minimised in both phases; it is told how many training images each class has.
        fine_tuning: what the quantized phase has besides: a teacher, averaged weights, a price on events.
        gate_annealing: see `Classifier`.
        batch_size: training images per step and device.
        eval_batch_size: validation images per step and device.
        sampler: how often each class is shown, by name or as a power of its count; see `EpochOrder`.
        augmentation: of the training images, on the device that trains; null for none.
        patience: epochs without a better validation macro F1 before a phase stops early.
        accelerator: Lightning's: ``cpu``, ``gpu``.
        devices: how many.
        strategy: Lightning's: ``auto``, or for several devices ``ddp_spawn_find_unused_parameters_true``.
        precision: Lightning's, in the float phase; the quantized phase needs whole numbers: ``32-true``.
        deterministic: True to refuse operations that differ from run to run, ``warn`` to tell of them.
        batches_per_epoch: training and validation batches of an epoch; null for all of them.
        seed: of weights, batches and augmentation.
    """

    def __init__(
        self,
        *,
        float_epochs: int,
        float_from: str | None,
        quantized_epochs: int,
        learning_rate: float,
        quantized_learning_rate: float,
        weight_decay: float,
        schedule: Schedule,
        warmup_share: float,
        loss: Loss,
        fine_tuning: FineTuning,
        gate_annealing: tuple[float, float],
        batch_size: int,
        eval_batch_size: int,
        sampler: Sampler,
        augmentation: Augmentation | None,
        patience: int,
        accelerator: str,
        devices: int,
        strategy: str,
        precision: str,
        deterministic: bool | Literal["warn"],
        batches_per_epoch: int | None,
        seed: int,
        teacher: str | Sequence[str] | None = None,  # configs recorded before them lack this and the next
        teacher_weight: float = 1.0,
        teacher_temperature: float = 4.0,
        float_averaging: AveragingKind = "none",
        float_averaging_decay: float = 0.999,
        float_averaging_start: float = 0.0,
        quantized_weight_decay: float | None = None,
    ) -> None:
        self.float_epochs, self.quantized_epochs = float_epochs, quantized_epochs
        self.float_from, self.teacher = float_from, teacher
        self.teacher_weight, self.teacher_temperature = teacher_weight, teacher_temperature
        self.float_averaging: AveragingKind = float_averaging
        self.float_averaging_decay = float_averaging_decay
        self.float_averaging_start = float_averaging_start
        self.learning_rate, self.quantized_learning_rate = learning_rate, quantized_learning_rate
        self.weight_decay, self.quantized_weight_decay = weight_decay, quantized_weight_decay
        self.schedule = schedule
        self.warmup_share, self.loss, self.fine_tuning = warmup_share, loss, fine_tuning
        self.gate_annealing = (gate_annealing[0], gate_annealing[1])
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size
        self.sampler, self.augmentation, self.patience = sampler, augmentation, patience
        self.accelerator, self.devices, self.strategy = accelerator, devices, strategy
        self.precision, self.deterministic = precision, deterministic
        self.batches_per_epoch, self.seed = batches_per_epoch, seed
        self._check()

    def seed_everything(self) -> None:
        """Seed Python, NumPy and torch; to be called before the network is built."""
        pl.seed_everything(self.seed, verbose=False)

    def fit(
        self,
        network: Network,
        splits: Splits,
        *,
        quantization: Quantization | None,
        callbacks: Sequence[Callback],
        logger: Logger,
        folder: Path,
        teacher: nn.Module | None = None,
    ) -> None:
        """Train; the callbacks ride on the last phase and see its `Classifier`.

        Args:
            network: float network; holds the best float weights afterwards.
            splits: images; `test` is not touched.
            quantization: None for a float run.
            callbacks: of the last phase; run after the best weights are back in place.
            logger: of both phases.
            folder: for checkpoints.
            teacher: of the float phase: a trained network of the same classes, left as it is.
        """
        last = list(callbacks) if quantization is None else []
        phase = Phase(
            "float",
            self.float_epochs,
            self.learning_rate,
            self.weight_decay,
            self.precision,
            progress=(0.0, 1.0),
        )
        if self.float_from is None:
            first = [*self._averaged(), *last]
            self._train(phase, network, splits, first, self._taught(network, teacher), logger, folder)
        else:
            state = take_float_phase(self.float_from, folder)
            self._classifier(phase, network, splits).load_state_dict(state)
        if quantization is None:
            return
        images = self._calibration_images(splits, quantization)
        require_living(network, images)
        quantized = quantization.apply(network, images)
        phase = Phase(
            "quantized",
            self.quantized_epochs,
            self.quantized_learning_rate,
            self.weight_decay if self.quantized_weight_decay is None else self.quantized_weight_decay,
            "32-true",  # whole numbers beyond what 16 bits can hold
            progress=(1.0, 1.0),
        )
        terms = self.fine_tuning.terms(quantized, network)
        last = [*self.fine_tuning.callbacks(), *callbacks]
        self._train(phase, quantized, splits, last, terms, logger, folder)

    def _averaged(self) -> list[Callback]:
        if self.float_averaging == "none":
            return []
        decay, start = self.float_averaging_decay, self.float_averaging_start
        return [Averaging(kind=self.float_averaging, decay=decay, start=start, untrained=True)]

    def _taught(self, network: nn.Module, teacher: nn.Module | None) -> list[Term]:
        if teacher is None:
            return []
        weight, temperature = self.teacher_weight, self.teacher_temperature
        return [
            Distillation(network, teacher, logits_weight=weight, feature_weight=0.0, temperature=temperature)
        ]

    def _train(
        self,
        phase: Phase,
        network: nn.Module,
        splits: Splits,
        callbacks: list[Callback],
        terms: list[Term],
        logger: Logger,
        folder: Path,
    ) -> None:
        module = self._classifier(phase, network, splits)
        module.terms = terms
        checkpoint = ModelCheckpoint(
            folder / "checkpoints",
            filename=f"best-{phase.name}",
            monitor=module.monitored,
            mode="max",
            auto_insert_metric_name=False,
            enable_version_counter=False,
        )
        stop = EarlyStop(module.monitored, patience=self.patience, mode="max")
        bar = EpochProgress(f"train {phase.name} network", module.monitored)
        restore, pruning = RestoreBest(checkpoint), Pruning(module.monitored)
        always = [SharedWeights(), checkpoint, stop, bar, restore, pruning]
        trainer = self._trainer(phase, [*always, *callbacks], logger)
        batches = TrainBatches(
            splits.train,
            batch_size=self.batch_size,
            sampler=self.sampler,
            seed=self.seed,
            epochs=phase.sampler_epochs,
        )
        with lightning_hushed():
            trainer.fit(module, batches, EvalBatches(splits.val, self.eval_batch_size))
        for term in terms:
            term.close()
        network.cpu()

    def _classifier(self, phase: Phase, network: nn.Module, splits: Splits) -> Classifier:
        counts = np.bincount(splits.train.target, minlength=splits.num_classes)
        self.loss.set_class_counts(torch.from_numpy(counts))
        return Classifier(
            network.to(memory_format=torch.channels_last),  # type: ignore[call-overload]
            num_classes=splits.num_classes,
            phase=phase.name,
            progress=phase.progress,
            loss=self.loss,
            augmentation=self.augmentation,
            learning_rate=phase.learning_rate,
            weight_decay=phase.weight_decay,
            schedule=self.schedule,
            warmup_share=self.warmup_share,
            gate_annealing=self.gate_annealing,
            seed=self.seed,
        )

    def _trainer(self, phase: Phase, callbacks: list[Callback], logger: Logger) -> pl.Trainer:
        with lightning_hushed():
            return pl.Trainer(
                max_epochs=phase.epochs,
                accelerator=self.accelerator,
                devices=self.devices,
                strategy=self.strategy,
                precision=phase.precision,  # type: ignore[arg-type]
                deterministic=self.deterministic,
                callbacks=callbacks,
                logger=logger,
                enable_progress_bar=False,
                enable_model_summary=False,
                num_sanity_val_steps=0,
                log_every_n_steps=1_000_000,  # epochs are logged, steps are not
                use_distributed_sampler=False,  # the batches share themselves out
                limit_train_batches=self.batches_per_epoch if self.batches_per_epoch else 1.0,
                limit_val_batches=self.batches_per_epoch if self.batches_per_epoch else 1.0,
            )

    def _calibration_images(self, splits: Splits, quantization: Quantization) -> torch.Tensor:
        generator = torch.Generator().manual_seed(self.seed)
        rows = torch.randperm(len(splits.train), generator=generator)[: quantization.calibration_images]
        images = torch.from_numpy(splits.train.images[rows.sort().values.numpy()])
        return images.permute(0, 3, 1, 2).float().contiguous()

    def _check(self) -> None:
        start, end = self.gate_annealing
        faults = {
            "training.float_epochs": self.float_epochs < 1,
            "training.quantized_epochs": self.quantized_epochs < 1,
            "training.learning_rate": self.learning_rate <= 0,
            "training.quantized_learning_rate": self.quantized_learning_rate <= 0,
            "training.weight_decay": self.weight_decay < 0,
            "training.quantized_weight_decay": (self.quantized_weight_decay or 0) < 0,
            "training.schedule": self.schedule not in get_args(Schedule),
            "training.warmup_share": not 0 < self.warmup_share < 1,
            "training.gate_annealing": not 0 <= start < end <= 1,
            "training.batch_size": self.batch_size < 1,
            "training.eval_batch_size": self.eval_batch_size < 1,
            "training.teacher_weight": not self.teacher_weight > 0,
            "training.teacher_temperature": not self.teacher_temperature > 0,
            "training.float_averaging": self.float_averaging not in get_args(AveragingKind),
            "training.float_averaging_decay": not 0 <= self.float_averaging_decay < 1,
            "training.float_averaging_start": not 0 <= self.float_averaging_start < 1,
            "training.sampler": not (isinstance(self.sampler, str) or 0 <= self.sampler <= 1),
            "training.patience": self.patience < 1,
            "training.devices": self.devices < 1,
            "training.batches_per_epoch": self.batches_per_epoch is not None and self.batches_per_epoch < 1,
            "training.strategy": self.devices > 1 and not self.strategy.startswith("ddp_spawn"),
            "training.accelerator": self.accelerator == "gpu" and not torch.cuda.is_available(),
        }
        wrong = [f"{key} = {getattr(self, key.split('.')[1])}" for key, fault in faults.items() if fault]
        if wrong:
            raise QanaError(
                f"{len(wrong)} training value(s) cannot be used",
                where=", ".join(wrong),
                allowed="counts of at least 1, positive rates, weights and temperatures, shares between 0"
                f" and 1 in rising order, schedule {' or '.join(get_args(Schedule))}, float_averaging"
                f" {', '.join(get_args(AveragingKind))} with decay and start from 0 to below 1, a GPU only"
                " where torch sees one, strategy ddp_spawn... with several devices",
                fix="correct the values named above, or choose training=cpu",
            )
