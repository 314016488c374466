"""The end-of-run callback: hands the trained network to what every run ends with (`qana.end_of_run`)."""

from __future__ import annotations

import pytorch_lightning as pl

from qana.backbone.network import Network
from qana.conversion import AkidaTarget, NoTarget, SnnTarget
from qana.dataset.splits import Splits
from qana.end_of_run import EndOfRun, RunContext
from qana.evaluation import Evaluation
from qana.incremental import Incremental
from qana.quantization import Quantization, fold
from qana.tracking.tracked_run import TrackedRun
from qana.training.classifier import Classifier

__all__ = ["ConversionEvaluation", "RunContext"]


class ConversionEvaluation(pl.Callback):
    """Rides on the last phase of training and acts when its best weights are back.

    Args:
        target: the chip, a spiking network, or none.
        evaluation: scores, costs and report.
        tracked: the MLflow run.
        splits: the data.
        float_network: trained in the phase before, or the very network of this one.
        quantization: of the run, or None.
        context: see `RunContext`.
        incremental: how the converted network goes on learning, or None.
    """

    def __init__(
        self,
        *,
        target: AkidaTarget | NoTarget | SnnTarget,
        evaluation: Evaluation,
        tracked: TrackedRun,
        splits: Splits,
        float_network: Network,
        quantization: Quantization | None,
        context: RunContext,
        incremental: Incremental | None,
    ) -> None:
        self._float_network = float_network
        self._end_of_run = EndOfRun(
            target=target,
            evaluation=evaluation,
            tracked=tracked,
            splits=splits,
            quantization=quantization,
            context=context,
            incremental=incremental,
        )

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        assert isinstance(pl_module, Classifier)
        reference = fold(self._float_network.cpu())
        self._end_of_run.finish(pl_module.network.cpu(), reference)
