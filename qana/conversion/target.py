"""What `conversion=` chooses: a chip, its rules before training and its program afterwards."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qana.backbone.network import Network
from qana.console import Advance, progress
from qana.conversion.capabilities import Capabilities, Offence
from qana.conversion.child import Limits, Message, run_child
from qana.conversion.deploy import PlannedLayer, deploy
from qana.conversion.parity import compare_layers, require_agreement
from qana.conversion.product import Conversion, MappingReport
from qana.errors import QanaError, listed
from qana.quantization.network import QuantizedNetwork
from qana.quantization.scheme import Quantization

STAGES = ("onnx", "keras", "quantized_keras", "akida")
SDK_PACKAGES = ("akida", "cnn2snn", "quantizeml", "tf_keras", "onnx", "onnxruntime")
ARTIFACTS = ("model.onnx", "model.h5", "model.fbz")
CALIBRATION_SAMPLES = 8  # only build the SDK's quantizers; every range is the trained one


class AkidaTarget:
    """A device of one Akida generation.

    Args:
        name: of the target, such as ``akd1000``.
        generation: 1 or 2.
        device: factory of the virtual device in the ``akida`` package, such as ``AKD1000``.
        form: which form of a backbone the generation runs: ``separable`` or ``concat``.
        bit_widths: legal (weight, activation) pairs.
        pooled_positions: most positions of a map that a global average pool takes.
        batch_size: images per call while the stages answer.
        compared_images: test images on which every layer is compared, code by code.
        min_agreement: smallest share of test images on which torch and Akida name the same class.
        timeout_s: wall-clock limit of each child process.
        memory_gib: memory limit of each child process.
    """

    def __init__(
        self,
        *,
        name: str,
        generation: int,
        device: str,
        form: str,
        bit_widths: list[tuple[int, int]],
        pooled_positions: int,
        batch_size: int,
        compared_images: int,
        min_agreement: float,
        timeout_s: float,
        memory_gib: float,
    ) -> None:
        self.name, self.generation, self.device, self.form = name, generation, device, form
        pairs = tuple((weight, activation) for weight, activation in bit_widths)
        self.capabilities = Capabilities(generation, pairs, pooled_positions)
        self.batch_size, self.compared_images = batch_size, compared_images
        self.min_agreement = min_agreement
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
        self._check_sdk()
        self._check_bits(quantization)
        offences = self.capabilities.offences(network, image_shape)
        if offences:
            raise self._illegal(offences)

    def convert(self, network: QuantizedNetwork, *, images: NDArray[np.uint8], folder: Path) -> Conversion:
        """Convert a trained network and let every stage answer the same images.

        Args:
            network: trained; its weights are snapped to their grids.
            images: (N, H, W, 3) uint8, the test split.
            folder: where model.onnx, model.h5, model.fbz and the logs go.

        Returns:
            The program with what every stage said.

        Raises:
            QanaError: the network is refused, does not fit, or says something else on the chip.
            ConversionError: the SDK crashed or passed its limits.
        """
        # Only here, so that the float path works without ONNX.
        from qana.conversion.export_onnx import export_onnx

        deployed, plan = deploy(network)
        with tempfile.TemporaryDirectory(prefix="qana-conversion-") as scratch:
            job = Path(scratch)
            height, width, channels = images.shape[1:]
            export_onnx(deployed, (height, width, channels), job / "model.onnx")
            self._write_job(job, plan, images)
            try:
                self._climb(job, folder, len(images))
                self._map(job, folder)
            finally:
                files = _keep_artifacts(job, folder)
            return self._product(network, plan, images, job, files)

    def _write_job(self, job: Path, plan: list[PlannedLayer], images: NDArray[np.uint8]) -> None:
        np.save(job / "images.npy", images)
        np.save(job / "samples.npy", images[:CALIBRATION_SAMPLES])
        description = {
            "plan": [dataclasses.asdict(entry) for entry in plan],
            "generation": self.generation,
            "device": self.device,
            "batch_size": self.batch_size,
            "compared_images": self.compared_images,
        }
        (job / "job.json").write_text(json.dumps(description))

    def _climb(self, job: Path, folder: Path, images: int) -> None:
        steps = 5
        with progress(f"convert for {self.name}", total=steps + len(STAGES) * images) as advance:
            run_child(
                "qana.conversion.ladder_job",
                job,
                limits=self.limits,
                log=folder / "conversion.log",
                on_message=lambda message: _advance(message, advance),
            )

    def _map(self, job: Path, folder: Path) -> None:
        with progress(f"map on {self.device}", total=1) as advance:
            log = folder / "mapping.log"
            run_child("qana.conversion.map_job", job, limits=self.limits, log=log, on_message=lambda _: None)
            advance(1)

    def _product(
        self,
        network: QuantizedNetwork,
        plan: list[PlannedLayer],
        images: NDArray[np.uint8],
        job: Path,
        files: dict[str, Path],
    ) -> Conversion:
        logits = {stage: np.load(job / f"{stage}.npy") for stage in STAGES}
        mapping = json.loads((job / "mapping.json").read_text())
        with np.load(job / "codes.npz") as codes:
            layers = compare_layers(
                network,
                plan,
                images[: self.compared_images],
                descriptions=json.loads((job / "layers.json").read_text()),
                codes=dict(codes),
                nps=mapping["nps"],
            )
        require_agreement(network, images, logits["akida"], layers, self.min_agreement, self.batch_size)
        present = {layer.name for layer in layers}
        return Conversion(
            target=self.name,
            generation=self.generation,
            logits=logits,
            layers=layers,
            mapping=MappingReport(**{**mapping, "nps": sum(mapping["nps"].values())}),
            coverage=sum(entry.name in present for entry in plan) / len(plan),
            files=files,
        )

    def _check_sdk(self) -> None:
        missing = [package for package in SDK_PACKAGES if importlib.util.find_spec(package) is None]
        if missing:
            raise QanaError(
                f"target {self.name} needs the Akida SDK; not installed: {', '.join(missing)}",
                where=f"conversion.name = {self.name}",
                allowed="conversion=none without the SDK",
                fix="install the SDK (pip install akida cnn2snn quantizeml), or choose conversion=none",
            )

    def _check_bits(self, quantization: Quantization | None) -> None:
        legal = ", ".join(f"w{weight}a{activation}" for weight, activation in self.capabilities.bit_widths)
        if quantization is None:
            received = "a float network"
        else:
            pair = (quantization.weight_bits, quantization.activation_bits)
            if pair in self.capabilities.bit_widths and quantization.generation == self.generation:
                return
            received = f"w{pair[0]}a{pair[1]} for Akida v{quantization.generation}"
        raise QanaError(
            f"target {self.name} does not run {received}",
            where=f"quantization, conversion.name = {self.name}",
            allowed=f"quantization to {legal}, generation {self.generation}",
            fix=f"choose quantization={legal.split(', ')[0]}, or another conversion",
        )

    def _illegal(self, offences: list[Offence]) -> QanaError:
        named = [f"{offence.module}: {offence.found} ({offence.rewrite})" for offence in offences]
        return QanaError(
            f"target {self.name} does not run {len(offences)} part(s) of the network: {listed(named)}",
            where=f"backbone, conversion.name = {self.name}",
            allowed=f"the layers of Akida v{self.generation}; see qana/conversion/capabilities.py",
            fix="leave backbone.form to the target, or rewrite each layer as said behind it",
        )


class NoTarget:
    """No chip: the run ends with the trained network.

    Args:
        name: ``none``.
        generation: whose integers a quantized network is trained on all the same.
        form: which form of a backbone to build.
    """

    def __init__(self, *, name: str, generation: int, form: str) -> None:
        self.name, self.generation, self.form = name, generation, form

    def check(
        self, network: Network, quantization: Quantization | None, image_shape: tuple[int, int, int]
    ) -> None:
        """Nothing to refuse: whatever torch runs is fine."""

    def convert(self, network: QuantizedNetwork, *, images: NDArray[np.uint8], folder: Path) -> None:
        """Nothing to convert."""


def _advance(message: Message, advance: Advance) -> None:
    advance(message["images"] if message["kind"] == "evaluated" else 1)


def _keep_artifacts(job: Path, folder: Path) -> dict[str, Path]:
    """Copy the model files that exist, also after a failure: they are what one debugs with."""
    kept: dict[str, Path] = {}
    for name in ARTIFACTS:
        if (job / name).exists():
            kept[name] = Path(shutil.copy2(job / name, folder / name))
    return kept
