"""A float ONNX network from elsewhere as a program for a target, quantized after training.

Same ladder and same limits as for a network of ours; but nothing fixed the grids in training, so they come
from the vendor's calibration on images of the data set, and the program can only be held against the
quantized Keras network that it was made from. What the quantization itself costs is seen in the stages.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx

from qana.console import Advance, console, progress
from qana.conversion.child import Message, run_child
from qana.conversion.foreign_acceptance import ForeignAnswers, agreement, foreign_layers, judge_foreign
from qana.conversion.foreign_file import (
    Images,
    legal_plan,
    load_file,
    require_image_shape,
    taking_pixels,
)
from qana.conversion.ladder import STAGES, job_folder, kept_files
from qana.conversion.mapping import map_in_child
from qana.conversion.onnx_to_keras.importer import Plan
from qana.conversion.product import Conversion
from qana.conversion.target import AkidaTarget
from qana.conversion.target_checks import require_bits, require_sdk
from qana.conversion.vendor_route import REPORT, cross_check
from qana.quantization.scheme import Quantization

PIXELS_AS_THEY_ARE = ((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))  # input_scale, input_offset
INPUT_WEIGHT_BITS = 8
VENDOR_BITS = (8, 8)  # "Only default bitwidth qparams is allowed." (quantizeml 1.2.5, ONNX)
STEPS = 10  # that the children tell of


def convert_onnx(
    path: Path,
    *,
    target: AkidaTarget,
    images: Images,
    test_images: Images,
    weight_bits: int,
    activation_bits: int,
    input_scale: Sequence[float],
    input_offset: Sequence[float],
    folder: Path,
) -> Conversion:
    """Convert a float ONNX network for `target`, and accept or refuse the result.

    Args:
        path: of the file, from any producer; one image input (N, 3, H, W) or (N, H, W, 3), one output
            (N, classes).
        target: a chip.
        images: (N, H, W, 3) calibration images, from the training split.
        test_images: (M, H, W, 3), which every stage answers.
        weight_bits: behind the first layer, which has 8.
        activation_bits: of the activations.
        input_scale: per channel; the network is fed ``pixels * input_scale + input_offset``.
        input_offset: per channel; `PIXELS_AS_THEY_ARE` for a network that takes pixels from 0 to 255.
        folder: where model.onnx (which takes pixels), model.h5, model.fbz and the logs go.

    Returns:
        The program with what the stages onnx, keras, quantized_keras and akida said. ``files`` holds
        ``vendor_route.json`` too where the vendor's own ONNX route is a second opinion (v2 at 8 bits).

    Raises:
        QanaError: the file is no network that the target runs (every offence is named), does not fit it, or
            becomes another network on the way.
        ConversionError: the SDK crashed or passed its limits.
    """
    require_sdk(target.name)
    _require_bits(target, weight_bits, activation_bits, len(images))
    model = taking_pixels(load_file(path), input_scale, input_offset)
    plan = legal_plan(model, target, path)
    require_image_shape(plan, images, test_images, path)
    with job_folder(folder) as job:
        onnx.save(model, str(job / "model.onnx"))
        _write_job(job, target, plan, images, test_images, (weight_bits, activation_bits))
        _climb(job, folder, target, len(test_images))
        answers = ForeignAnswers.read(job)
        modules = {layer.name: layer.node.scope or layer.node.name for layer in plan.layers}
        compared = test_images[: target.compared_images]
        judge_foreign(
            answers, foreign_layers(answers, compared, {}), modules, target.thresholds, target.generation
        )
        mapping = map_in_child(job, device=target.device, limits=target.limits, log=folder / "mapping.log")
        files = kept_files(job, folder)
        if target.generation == 2 and (weight_bits, activation_bits) == VENDOR_BITS:
            files[REPORT] = cross_check(
                job, folder, limits=target.limits, program_logits=answers.logits["akida"]
            )
        _tell(answers, files)
        return Conversion(
            target=target.name,
            generation=target.generation,
            logits=answers.logits,
            layers=foreign_layers(answers, compared, mapping.nps_by_layer),
            mapping=mapping,
            coverage=_coverage(plan, answers),
            files=files,
        )


def _require_bits(target: AkidaTarget, weight_bits: int, activation_bits: int, images: int) -> None:
    quantization = Quantization(
        weight_bits=weight_bits,
        weight_rule="max",
        activation_bits=activation_bits,
        input_weight_bits=INPUT_WEIGHT_BITS,
        generation=target.generation,
        calibration="max",
        percentile=100.0,
        ranges="calibrated",
        calibration_images=images,
    )
    require_bits(target.name, target.generation, target.capabilities.bit_widths, quantization)


def _write_job(
    job: Path,
    target: AkidaTarget,
    plan: Plan,
    images: Images,
    test_images: Images,
    bits: tuple[int, int],
) -> None:
    np.save(job / "samples.npy", images)
    np.save(job / "images.npy", test_images)
    description = {
        "classes": next(layer.after.shape[-1] for layer in plan.layers if layer.output == plan.output),
        "generation": target.generation,
        "weight_bits": bits[0],
        "activation_bits": bits[1],
        "device": target.device,
        "nodes": target.nodes,
        "batch_size": target.batch_size,
        "compared_images": target.compared_images,
    }
    (job / "job.json").write_text(json.dumps(description))


def _climb(job: Path, folder: Path, target: AkidaTarget, images: int) -> None:
    with progress(f"convert for {target.name}", total=STEPS + len(STAGES) * images) as advance:
        for module, log in (("foreign_job", "conversion.log"), ("program_job", "program.log")):
            run_child(
                f"qana.conversion.{module}",
                job,
                limits=target.limits,
                log=folder / log,
                on_message=lambda message: _advance(message, advance),
            )


def _advance(message: Message, advance: Advance) -> None:
    advance(message["images"] if message["kind"] == "evaluated" else 1)


def _coverage(plan: Plan, answers: ForeignAnswers) -> float:
    """Share of the layers of the file with weights whose weights are in the program."""
    weighted = [layer.name for layer in plan.layers if layer.weights]
    held = {name.rsplit(".", 1)[0] for name in answers.weights}
    return sum(name in held for name in weighted) / len(weighted)


def _tell(answers: ForeignAnswers, files: dict[str, Path]) -> None:
    share = agreement(answers.logits["onnx"], answers.logits["akida"])
    console.print(f"the program names the class of the float file on {share:.2%} of the test images")
    if REPORT in files:
        report = json.loads(files[REPORT].read_text())
        result = (
            f"agrees with the program on {report['agreement_of_programs']:.2%} of them"
            if report["result"] == "converted"
            else f"{report['result']} it: {report['reason']}"
        )
        console.print(f"the vendor's own ONNX route {result}")
