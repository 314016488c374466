"""What `conversion=` chooses: a chip, its rules before training and its program afterwards."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from qana.backbone.network import Network
from qana.conversion.acceptance.fault import refuse
from qana.conversion.acceptance.layer_reports import layer_reports
from qana.conversion.acceptance.torch_weights import (
    TrainedWeights,
    require_sound_weights,
    trained_weights,
    weight_faults,
)
from qana.conversion.acceptance.verdict import Thresholds, float_faults, judge
from qana.conversion.capabilities import Capabilities
from qana.conversion.child import Limits
from qana.conversion.deploy import PlannedLayer, deploy
from qana.conversion.ladder import ARTIFACTS, STAGES, Climbed, Ladder, job_folder, kept_files
from qana.conversion.no_target import NoTarget
from qana.conversion.parity import torch_logits
from qana.conversion.product import Conversion, LayerReport, MappingReport
from qana.conversion.target_checks import refuse_offences, require_bits, require_sdk, require_sensible
from qana.errors import QanaError
from qana.quantization.network import QuantizedNetwork
from qana.quantization.scheme import Quantization

__all__ = ["ARTIFACTS", "STAGES", "AkidaTarget", "NoTarget"]


class AkidaTarget:
    """A device of one Akida generation.

    Args:
        name: of the target, such as ``akd1000``.
        generation: 1 or 2.
        device: factory of the virtual device in the ``akida`` package, such as ``AKD1000``, or ``minimal``:
            the smallest one of v2 that fits.
        nodes: of a v2 device in place of the number in `device`; None takes `device` as it is.
        form: which form of a backbone the generation runs: ``separable`` or ``concat``.
        bit_widths: legal (weight, activation) pairs.
        pooled_positions: most positions of a map that a global average pool takes.
        batch_size: images per call while the stages answer.
        compared_images: test images on which every layer is compared, code by code.
        min_agreement: smallest share of test images on which torch and Akida name the same class.
        max_error_lsb: largest difference between torch and Akida in any layer, in units of the last bit.
        max_saturated_share: largest share of a layer's outputs at the top of their range.
        max_dead_share: largest share of a layer's channels that are zero on all compared images.
        dry_run: whether an untrained network is taken to the chip before its training begins.
        timeout_s: wall-clock limit of each child process.
        memory_gib: memory limit of each child process.
    """

    def __init__(
        self,
        *,
        name: str,
        generation: int,
        device: str,
        nodes: int | None,
        form: str,
        bit_widths: list[tuple[int, int]],
        pooled_positions: int,
        batch_size: int,
        compared_images: int,
        min_agreement: float,
        max_error_lsb: float,
        max_saturated_share: float,
        max_dead_share: float,
        dry_run: bool,
        timeout_s: float,
        memory_gib: float,
    ) -> None:
        self.name, self.generation, self.form = name, generation, form
        self.device, self.nodes = device, nodes
        self.batch_size, self.compared_images = batch_size, compared_images
        self.dry_run = dry_run
        self.thresholds = Thresholds(
            min_agreement=min_agreement,
            max_error_lsb=max_error_lsb,
            max_dead_share=max_dead_share,
            max_saturated_share=max_saturated_share,
        )
        require_sensible(
            name, self.thresholds, {"batch_size": batch_size, "compared_images": compared_images}
        )
        pairs = tuple((weight, activation) for weight, activation in bit_widths)
        self.capabilities = Capabilities(generation, pairs, pooled_positions, device, nodes)
        self.limits = Limits(timeout_s, memory_gib)

    def check(
        self, network: Network, quantization: Quantization | None, image_shape: tuple[int, int, int]
    ) -> None:
        """Refuse, before any training, what the target cannot run.

        Args:
            network: the float network as it will be trained.
            quantization: what will be applied to it.
            image_shape: (H, W, 3).

        Raises:
            QanaError: the SDK is missing, or the bit-widths or layers are illegal; every offence is named.
        """
        require_sdk(self.name)
        require_bits(self.name, self.generation, self.capabilities.bit_widths, quantization)
        refuse_offences(self.name, self.capabilities_at(quantization).offences(network, image_shape))

    def capabilities_at(self, quantization: Quantization | None) -> Capabilities:
        """The capability table at the bit-widths of `quantization`; for all of them where it has none."""
        if quantization is None:
            return self.capabilities
        pair = (quantization.weight_bits, quantization.activation_bits)
        return self.capabilities.at(*pair) if pair in self.capabilities.bit_widths else self.capabilities

    def convert(self, network: QuantizedNetwork, *, images: NDArray[np.uint8], folder: Path) -> Conversion:
        """Convert a trained network, let every stage answer the same images, and accept or refuse the result.

        Args:
            network: trained; its weights are snapped to their grids.
            images: (N, H, W, 3) uint8, the test split.
            folder: where model.onnx, model.h5, model.fbz and the logs go, and after a failure what the stages
                said as far as they came (`qana.conversion.ladder.stages_left_behind`).

        Returns:
            The program with what every stage said, torch included.

        Raises:
            QanaError: the network is refused, does not fit, or is another one on the chip.
            ConversionError: the SDK crashed or passed its limits.
        """
        # Only here, so that the float path works without ONNX.
        from qana.conversion.export_onnx import export_onnx

        require_sound_weights(network)
        deployed, plan = deploy(network)
        weights = trained_weights(network, plan)
        height, width, channels = images.shape[1:]
        with job_folder(folder) as job:
            export_onnx(deployed, (height, width, channels), job / "model.onnx")
            climbed = self._ladder().climb(network, plan, images, job=job, folder=folder)
            layers = self._reports(climbed, plan, images)
            (job / "layers.json").write_text(json.dumps([dataclasses.asdict(layer) for layer in layers]))
            self._judge(climbed, plan, layers, weights)
            self._require_same_export(deployed, climbed, images)
            if isinstance(climbed.mapping, QanaError):
                raise climbed.mapping
            return Conversion(
                target=self.name,
                generation=self.generation,
                logits={"torch": climbed.trained.logits, **climbed.logits},
                layers=layers,
                mapping=climbed.mapping,
                coverage=_coverage(weights, climbed),
                files=kept_files(job, folder),
            )

    def _ladder(self) -> Ladder:
        return Ladder(
            name=self.name,
            generation=self.generation,
            device=self.device,
            nodes=self.nodes,
            batch_size=self.batch_size,
            compared_images=self.compared_images,
            limits=self.limits,
        )

    def _reports(
        self, climbed: Climbed, plan: Sequence[PlannedLayer], images: NDArray[np.uint8]
    ) -> tuple[LayerReport, ...]:
        mapping = climbed.mapping
        return layer_reports(
            climbed.trained,
            plan,
            images[: self.compared_images],
            descriptions=climbed.descriptions,
            codes=climbed.codes,
            nps=mapping.nps_by_layer if isinstance(mapping, MappingReport) else {},
        )

    def _judge(
        self,
        climbed: Climbed,
        plan: Sequence[PlannedLayer],
        layers: Sequence[LayerReport],
        weights: Sequence[TrainedWeights],
    ) -> None:
        faults = weight_faults(weights, climbed.weights, plan)
        judge(climbed.trained, plan, layers, climbed.logits["akida"], faults, self.thresholds)

    def _require_same_export(self, deployed: nn.Module, climbed: Climbed, images: NDArray[np.uint8]) -> None:
        """Refuse an ONNX file that is another network than the one that was deployed."""
        compared = images[: self.compared_images]
        plain = torch_logits(deployed, compared, batch_size=self.batch_size)
        onnx = climbed.logits["onnx"][: len(compared)]
        refuse(float_faults(plain, onnx, stages=("float torch", "onnx")), "the ONNX file is another network")


def _coverage(weights: Sequence[TrainedWeights], climbed: Climbed) -> float:
    """Share of the torch modules with weights whose weights are in the program."""
    return sum(f"{each.layer}.{each.variable}" in climbed.weights for each in weights) / len(weights)
