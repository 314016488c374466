"""The end-of-run callback: saves the trained network, converts it, measures every stage, reports.

The checkpoint is on disk and in MLflow before the conversion starts, so nothing that a converter does can
cost the training.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import nn

from qana.backbone.network import Network, complexity
from qana.conversion import AkidaTarget, Conversion, NoTarget
from qana.conversion.parity import torch_logits
from qana.dataset.splits import Splits
from qana.evaluation import BackboneInfo, Evaluation, QuantizationInfo, RunInfo
from qana.quantization import Quantization, QuantizedNetwork, fold
from qana.tracking.report_metrics import report_metrics, report_tags
from qana.tracking.tracked_run import TrackedRun
from qana.training.classifier import Classifier

EVAL_BATCH = 128


@dataclass(frozen=True)
class RunContext:
    """What the callback has to know of the run around it.

    Attributes:
        folder: of the run's files.
        config: the resolved config, kept in the checkpoint.
        info: id, name and provenance; the callback fills in status and duration.
        started_s: `time.monotonic` at the start of the run.
        versions: package versions for the page.
    """

    folder: Path
    config: Mapping[str, Any]
    info: RunInfo
    started_s: float
    versions: Mapping[str, str]


class ConversionEvaluation(pl.Callback):
    """Rides on the last phase of training and acts when its best weights are back.

    Args:
        target: the chip, or none.
        evaluation: scores, costs and report.
        tracked: the MLflow run.
        splits: the data.
        float_network: trained in the phase before, or the very network of this one.
        quantization: of the run, or None.
        context: see `RunContext`.
    """

    def __init__(
        self,
        *,
        target: AkidaTarget | NoTarget,
        evaluation: Evaluation,
        tracked: TrackedRun,
        splits: Splits,
        float_network: Network,
        quantization: Quantization | None,
        context: RunContext,
    ) -> None:
        self._target, self._evaluation, self._tracked = target, evaluation, tracked
        self._splits, self._float_network = splits, float_network
        self._quantization, self._context = quantization, context

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        assert isinstance(pl_module, Classifier)
        network = pl_module.network.cpu()
        reference = fold(self._float_network.cpu())
        if isinstance(network, QuantizedNetwork):
            network.snap()
        self._save_checkpoint(network, reference)
        try:
            self._convert_and_measure(network, reference)
        finally:  # a conversion that failed leaves its model files and log, which are what one debugs with
            self._tracked.log_artifacts(self._context.folder)

    def _convert_and_measure(self, network: nn.Module, reference: Network) -> None:
        images = self._images()
        stages = self._torch_stages(network, reference, images)
        conversion = self._convert(network, images)
        if conversion is not None:
            stages.update(conversion.logits)
        report = self._measure(reference, stages, conversion)
        self._tracked.log_metrics(report_metrics(report))
        self._tracked.set_tags(report_tags(report))

    def _save_checkpoint(self, network: nn.Module, reference: Network) -> None:
        path = self._context.folder / "checkpoint.ckpt"
        content = {
            "network": network.state_dict(),
            "float_network": reference.state_dict(),
            "classes": list(self._splits.classes),
            "image_shape": list(self._splits.image_shape),
            "config": dict(self._context.config),
        }
        torch.save(content, path)
        self._tracked.log_artifact(path)

    def _images(self) -> NDArray[np.uint8]:
        """(N, H, W, 3) test images, and behind them those of the second source: every stage sees both."""
        sets = [self._splits.test]
        if self._splits.external is not None:
            sets.append(self._splits.external.images)
        return np.concatenate([np.asarray(each.images) for each in sets])

    def _torch_stages(
        self, network: nn.Module, reference: Network, images: NDArray[np.uint8]
    ) -> dict[str, NDArray[np.float32]]:
        stages = {"float": torch_logits(reference, images, batch_size=EVAL_BATCH)}
        if isinstance(network, QuantizedNetwork):
            stages["torch"] = torch_logits(network, images, batch_size=EVAL_BATCH)
        return stages

    def _convert(self, network: nn.Module, images: NDArray[np.uint8]) -> Conversion | None:
        if not isinstance(network, QuantizedNetwork):
            return None
        return self._target.convert(network, images=images, folder=self._context.folder)

    def _measure(
        self, reference: Network, stages: dict[str, NDArray[np.float32]], conversion: Conversion | None
    ) -> dict[str, Any]:
        size = complexity(reference, self._splits.image_shape)
        tested = len(self._splits.test)
        quantization = self._quantization
        return self._evaluation.measure(
            folder=self._context.folder,
            run=replace(
                self._context.info,
                status="FINISHED",
                duration_s=round(time.monotonic() - self._context.started_s, 1),
            ),
            splits=self._splits,
            backbone=BackboneInfo(reference.name, reference.form, size.parameters, size.macs),
            quantization=QuantizationInfo(
                quantization.weight_bits if quantization else None,
                quantization.activation_bits if quantization else None,
                quantization.input_weight_bits if quantization else None,
            ),
            float_network=reference,
            stage_logits={stage: logits[:tested] for stage, logits in stages.items()},
            external_logits={stage: logits[tested:] for stage, logits in stages.items()}
            if self._splits.external
            else None,
            conversion=conversion,
            incremental=None,
            versions=self._context.versions,
        )
