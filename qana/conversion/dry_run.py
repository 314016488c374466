"""Take an untrained network all the way to a mapped program: would the chip run what is about to be trained?

The capability table knows what was tried; the SDK has the last word. Reads no data and trains nothing: the
weights are those that training starts from, the images are drawn.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from qana.backbone.network import Network
from qana.console import progress
from qana.conversion.acceptance.layer_reports import layer_reports
from qana.conversion.acceptance.torch_weights import trained_weights, weight_faults
from qana.conversion.acceptance.trained_answers import TrainedAnswers, trained_answers
from qana.conversion.acceptance.verdict import Thresholds, judge
from qana.conversion.child import run_child
from qana.conversion.deploy import PlannedLayer, deploy
from qana.conversion.dry_images import dry_images
from qana.conversion.mapping import RESULT, read_mapping
from qana.conversion.product import LayerReport, MappingReport
from qana.conversion.same_function import require_same_function
from qana.conversion.target import AkidaTarget
from qana.errors import QanaError
from qana.quantization.network import QuantizedNetwork
from qana.quantization.scheme import Quantization

LOG = "check.log"  # of the child process
IMAGES = 8  # calibrate, and answer
STEPS = 6  # that the child reports
# An untrained network may have dead or saturated layers; what it computes has to be exact all the same.
EXACT = Thresholds(min_agreement=1.0, max_error_lsb=0.0, max_dead_share=1.0, max_saturated_share=1.0)


@dataclass(frozen=True)
class DryRun:
    """What became of an untrained network.

    Attributes:
        mapping: how the program sits on the device.
        layers: of the program, input first.
        modules: layer of the program to the path of its unit, or sum, in the network.
        images: on which every layer of torch and Akida gave the same integers.
    """

    mapping: MappingReport
    layers: tuple[LayerReport, ...]
    modules: Mapping[str, str]
    images: int


def dry_run(
    target: AkidaTarget,
    network: Network,
    quantization: Quantization,
    image_shape: tuple[int, int, int],
    folder: Path,
) -> DryRun:
    """Quantize, convert and map `network` as it is, and hold the program against torch as after a training.

    Args:
        target: has let the network pass its `check`.
        network: the float network before training; left as it is.
        quantization: of the run.
        image_shape: (H, W, 3).
        folder: where the log of the child process goes.

    Raises:
        QanaError: the network is refused, becomes another one, does not fit, or answers otherwise.
        ConversionError: the SDK crashed or passed its limits.
    """
    # Only here, so that the float path works without ONNX.
    from qana.conversion.export_onnx import export_onnx

    images = dry_images(IMAGES, image_shape)
    quantized = quantize_untrained(network, quantization, images)
    deployed, plan = deploy(quantized)
    weights = trained_weights(quantized, plan)
    answers = trained_answers(quantized, plan, images, compared=IMAGES, batch_size=IMAGES)
    with tempfile.TemporaryDirectory(prefix="qana-check-") as scratch:
        job = Path(scratch)
        export_onnx(deployed, image_shape, job / "model.onnx")
        np.save(job / "images.npy", images)
        (job / "job.json").write_text(json.dumps(_description(target, plan)))
        _convert(target, job, folder)
        mapping, layers = read_mapping(job / RESULT), _layers(job, plan, images, answers)
        with np.load(job / "weights.npz") as program:
            faults = weight_faults(weights, dict(program), plan)
        judge(answers, plan, layers, np.load(job / "akida.npy"), faults, EXACT)
    return DryRun(mapping, layers, {entry.name: entry.module for entry in plan}, IMAGES)


def quantize_untrained(
    network: Network, quantization: Quantization, images: NDArray[np.uint8]
) -> QuantizedNetwork:
    """Quantize `network` with norms that have seen `images`, as they will have after the first batches.

    Raises:
        QanaError: the network is dead or not finite, or quantization would make another one of it.
    """
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    settled = _settled(network, pixels)
    _require_alive(settled, pixels)
    quantized = quantization.apply(settled, pixels).eval()
    require_same_function(quantized, pixels)
    return quantized


@torch.no_grad()
def _settled(network: Network, pixels: Tensor) -> Network:
    settled = copy.deepcopy(network)
    for module in settled.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    settled.train()(pixels)
    return settled.eval()


@torch.no_grad()
def _require_alive(network: nn.Module, pixels: Tensor) -> None:
    """Refuse a network that gives infinite values, or the same answer whatever the image is."""
    not_finite, constant = [], []

    def watch(path: str) -> Callable[[nn.Module, object, Tensor], None]:
        def hook(module: nn.Module, _: object, output: Tensor) -> None:
            if not torch.isfinite(output).all():
                not_finite.append(path)
            elif (output == output[:1]).all():
                constant.append(path)

        return hook

    leaves = {path: each for path, each in network.named_modules() if not list(each.children())}
    hooks = [module.register_forward_hook(watch(path)) for path, module in leaves.items()]
    logits = network(pixels)
    for hook in hooks:
        hook.remove()
    if torch.isfinite(logits).all() and not (logits == logits[:1]).all():
        return
    found, fault = (not_finite, "values that are not finite") if not_finite else (constant, "no difference")
    raise QanaError(
        f"the untrained network is dead: {found[0]} gives {fault} over {len(pixels)} images",
        where=f"backbone ({found[0]})",
        allowed="finite weights, not all of them zero in any layer",
        fix="correct how this layer is initialized, or the weights that are loaded into it",
    )


def _description(target: AkidaTarget, plan: list[PlannedLayer]) -> dict[str, object]:
    return {
        "plan": [dataclasses.asdict(entry) for entry in plan],
        "generation": target.generation,
        "device": target.device,
        "nodes": target.nodes,
    }


def _convert(target: AkidaTarget, job: Path, folder: Path) -> None:
    with progress(f"try the conversion for {target.name}", total=STEPS) as advance:
        run_child(
            "qana.conversion.dry_job",
            job,
            limits=target.limits,
            log=folder / LOG,
            on_message=lambda _: advance(1),
        )


def _layers(
    job: Path, plan: list[PlannedLayer], images: NDArray[np.uint8], answers: TrainedAnswers
) -> tuple[LayerReport, ...]:
    with np.load(job / "codes.npz") as codes:
        return layer_reports(
            answers,
            plan,
            images,
            descriptions=json.loads((job / "layers.json").read_text()),
            codes=dict(codes),
            nps=read_mapping(job / RESULT).nps_by_layer,
        )
