"""What every run ends with, trained or re-converted: the network is saved, converted, measured, reported.

The checkpoint is on disk and in MLflow before the conversion starts, so nothing that a converter does can
cost the training.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from torch import nn

from qana.backbone.complexity import FLOAT_BITS, complexity, layer_complexity
from qana.backbone.network import Network
from qana.conversion import AkidaTarget, Conversion, NoTarget, SnnTarget
from qana.conversion.model_card import ModelCard, write_card
from qana.conversion.parity import torch_logits
from qana.conversion.snn.product import Spiking
from qana.dataset.splits import Splits
from qana.evaluation import BackboneInfo, Evaluation, QuantizationInfo, RunInfo, session_metrics
from qana.evaluation.confidence import calibration_facts, fit_temperature
from qana.incremental import Incremental, program_features, sdk_of
from qana.provenance import config_hash, environment, git_state
from qana.quantization import Quantization, QuantizedNetwork
from qana.tracking.report_metrics import metrics_over_time, report_metrics, report_tags
from qana.tracking.served_model import save_served_model
from qana.tracking.tracked_run import TrackedRun

EVAL_BATCH = 128

Stages = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class RunContext:
    """What the end of a run has to know of the run around it.

    Attributes:
        folder: of the run's files.
        config: the resolved config, kept in the checkpoint.
        info: id, name and provenance; status and duration are filled in at the end.
        started_s: `time.monotonic` at the start of the run.
        versions: package versions for the page.
    """

    folder: Path
    config: Mapping[str, Any]
    info: RunInfo
    started_s: float
    versions: Mapping[str, str]


@dataclass(frozen=True)
class EndOfRun:
    """Saves a trained network, converts it, measures every stage and reports.

    Attributes:
        target: the chip, a spiking network, or none.
        evaluation: scores, costs and report.
        tracked: the MLflow run.
        splits: the data.
        quantization: of the run, or None.
        context: see `RunContext`.
        incremental: how the converted network goes on learning; None where it does not.
    """

    target: AkidaTarget | NoTarget | SnnTarget
    evaluation: Evaluation
    tracked: TrackedRun
    splits: Splits
    quantization: Quantization | None
    context: RunContext
    incremental: Incremental | None = None

    def finish(self, network: nn.Module, reference: Network) -> dict[str, Any]:
        """Do all of it; the run's files reach MLflow also where the conversion fails.

        Args:
            network: the trained network, on the CPU; a `QuantizedNetwork` is snapped to its grids.
            reference: the float network, folded.

        Returns:
            The report, as in report.json.
        """
        if isinstance(network, QuantizedNetwork):
            network.snap()
        self._save_checkpoint(network, reference)
        try:
            return self._convert_and_measure(network, reference)
        finally:  # a conversion that failed leaves its model files and log, which are what one debugs with
            self.tracked.log_artifacts(self.context.folder)

    def _convert_and_measure(self, network: nn.Module, reference: Network) -> dict[str, Any]:
        images = test_images(self.splits)
        stages = {"float": torch_logits(reference, images, batch_size=EVAL_BATCH)}
        trained = network if isinstance(network, QuantizedNetwork) else reference
        validation = torch_logits(trained, np.asarray(self.splits.val.images), batch_size=EVAL_BATCH)
        conversion = self._convert(network, images)
        if conversion is not None:
            stages.update(conversion.logits)
            self._write_card(validation)
        if isinstance(network, QuantizedNetwork) and "torch" not in stages:
            stages["torch"] = torch_logits(network, images, batch_size=EVAL_BATCH)
        spiking = self._spike(reference, images)
        if spiking is not None:
            stages["snn"] = spiking.logits
        learning = self._learn(conversion)
        report = self._measure(reference, network, stages, validation, conversion, spiking, learning)
        self.tracked.log_metrics(report_metrics(report))
        for step, metrics in metrics_over_time(report):
            self.tracked.log_metrics(metrics, step=step)
        log_sessions(self.tracked, learning)
        self.tracked.set_tags(report_tags(report))
        return report

    def _save_checkpoint(self, network: nn.Module, reference: Network) -> None:
        path = self.context.folder / "checkpoint.ckpt"
        content = {
            "network": network.state_dict(),
            "float_network": reference.state_dict(),
            "classes": list(self.splits.classes),
            "image_shape": list(self.splits.image_shape),
            "config": dict(self.context.config),
        }
        torch.save(content, path)
        self.tracked.log_artifact(path)

    def _convert(self, network: nn.Module, images: NDArray[np.uint8]) -> Conversion | None:
        if not isinstance(network, QuantizedNetwork) or isinstance(self.target, SnnTarget):
            return None
        return self.target.convert(network, images=images, folder=self.context.folder)

    def _spike(self, reference: Network, images: NDArray[np.uint8]) -> Spiking | None:
        if not isinstance(self.target, SnnTarget):
            return None
        return self.target.convert(reference, training=self.splits.train.images, images=images)

    def _write_card(self, logits: NDArray[np.float32]) -> None:
        """Leave beside the program what a photograph needs; torch, equal to the last bit, answers for it.

        Args:
            logits: (M, C), what torch says of the validation images.
        """
        val = self.splits.val
        temperature = fit_temperature(logits, val.target)
        card = ModelCard(
            run=self.context.info.id,
            target=self.target.name,
            classes=tuple(self.splits.classes),
            preprocessing=dict(self.splits.preprocessing),
            temperature=temperature,
            calibration=calibration_facts(logits, val.target, temperature),
        )
        write_card(self.context.folder, card)
        save_served_model(self.context.folder, card)

    def _learn(self, conversion: Conversion | None) -> dict[str, Any] | None:
        """Let the program go on learning; the block of the report."""
        if self.incremental is None or conversion is None:
            return None
        assert isinstance(self.target, AkidaTarget)
        folder, program = self.context.folder, conversion.files["model.fbz"]
        edge = sdk_of(self.target, folder)
        features = program_features(self.splits, program, edge)
        learned = self.incremental.study(self.splits, features, base_only=self.incremental.train_on_base)
        self.incremental.deploy(learned, self.splits, program=program, edge=edge, folder=folder)
        energy_mj = self.evaluation.energy_mj(conversion, self.splits)
        return self.evaluation.measure_learning(learned, self.splits, energy_mj=energy_mj)

    def _measure(
        self,
        reference: Network,
        network: nn.Module,
        stages: Stages,
        validation: NDArray[np.float32],
        conversion: Conversion | None,
        spiking: Spiking | None,
        learning: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        quantization, shape = self.quantization, self.splits.image_shape
        size = complexity(reference, shape)
        layers = layer_complexity(
            reference, shape, quantization.activation_bits if quantization else FLOAT_BITS
        )
        of_test, of_external = by_side(self.splits, stages)
        return self.evaluation.measure(
            folder=self.context.folder,
            run=finished(self.context),
            splits=self.splits,
            backbone=BackboneInfo(reference.name, reference.form, size.parameters, size.macs, layers),
            quantization=QuantizationInfo(
                quantization.weight_bits if quantization else None,
                quantization.activation_bits if quantization else None,
                quantization.input_weight_bits if quantization else None,
            ),
            float_network=reference,
            stage_logits=of_test,
            external_logits=of_external,
            conversion=conversion,
            spiking=spiking.first(len(self.splits.test)) if spiking else None,
            incremental=learning,
            versions=self.context.versions,
            quantized_network=network if isinstance(network, QuantizedNetwork) else None,
            validation_logits=validation,
        )


def log_sessions(tracked: TrackedRun, learning: Mapping[str, Any] | None) -> None:
    """Log what was measured after each session of incremental learning, with the session as the step."""
    for step, metrics in enumerate(session_metrics(learning) if learning else ()):
        tracked.log_metrics(metrics, step=step)


def test_images(splits: Splits) -> NDArray[np.uint8]:
    """(N, H, W, 3) test images, and behind them those of the second source: every stage sees both."""
    sets = [splits.test]
    if splits.external is not None:
        sets.append(splits.external.images)
    return np.concatenate([np.asarray(each.images) for each in sets])


def by_side(splits: Splits, stages: Mapping[str, NDArray[np.float32]]) -> tuple[Stages, Stages | None]:
    """Part what every stage said on `test_images`: the test split, and the second source or None."""
    tested = len(splits.test)
    of_test = {stage: logits[:tested] for stage, logits in stages.items()}
    if splits.external is None:
        return of_test, None
    return of_test, {stage: logits[tested:] for stage, logits in stages.items()}


def finished(context: RunContext) -> RunInfo:
    """The run's info with the status and duration that it ends with."""
    duration_s = round(time.monotonic() - context.started_s, 1)
    return replace(context.info, status="FINISHED", duration_s=duration_s)


def write_provenance(folder: Path, config: Mapping[str, Any]) -> None:
    """Write config.yaml and environment.json, before anything can fail.

    Args:
        folder: of the run; made where it is not there.
        config: resolved.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(dict(config), sort_keys=False))
    (folder / "environment.json").write_text(json.dumps(environment(), indent=2) + "\n")


def run_info(run_id: str, config: Mapping[str, Any], started: str) -> RunInfo:
    """Describe a run that has just begun.

    Args:
        run_id: in MLflow.
        config: resolved.
        started: ISO 8601 with a zone.
    """
    sha, dirty = git_state()
    return RunInfo(
        id=run_id,
        name=config["name"],
        config_hash=config_hash(config),
        git_sha=sha,
        dirty=dirty,
        seed=config["seed"],
        started=started,
        duration_s=0.0,
        status="RUNNING",
    )
