"""One conversion of a network from elsewhere: its file, images of a data set, a target, a tracked run."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from qana.command.calibration_images import calibration_images
from qana.command.convert_onnx import NOT_USED, InputScaling
from qana.command.require_chip import require_chip
from qana.console import console
from qana.conversion import AkidaTarget, Conversion
from qana.conversion.foreign import convert_onnx
from qana.conversion.onnx_file import OnnxFile
from qana.dataset.source import Source
from qana.dataset.splits import Splits
from qana.end_of_run import RunContext, by_side, finished, run_info, test_images, write_provenance
from qana.errors import QanaError
from qana.evaluation import BackboneInfo, Evaluation, QuantizationInfo, print_summary, write_data_files
from qana.provenance import config_hash, package_versions
from qana.quantization import Quantization
from qana.tracking.report_metrics import report_metrics, report_tags
from qana.tracking.sweep import parent_run_id

INPUT_WEIGHT_BITS = 8
ROUTE = "quantized after training: expect some loss"


def convert_file(file: OnnxFile, scaling: InputScaling, cfg: DictConfig) -> dict[str, Any]:
    """Convert and measure a network from a file.

    Args:
        file: the network.
        scaling: of its input.
        cfg: composed and checked config; its backbone and training are not used.

    Returns:
        The report, as in report.json.
    """
    started_s, started = time.monotonic(), datetime.now(timezone.utc).isoformat(timespec="seconds")
    config = _config(file, scaling, cfg)
    console.rule(f"[bold]{config['name']}[/bold]")
    source, evaluation, tracking = map(instantiate, (cfg.dataset, cfg.evaluation, cfg.tracking))
    target, quantization = require_chip(instantiate(cfg.conversion)), instantiate(cfg.quantization)
    _require_quantization(quantization)
    _require_classes(file, source)
    _require_no_robustness(evaluation)
    _require_one_view(evaluation)
    console.print(f"{file.path.name}: {scaling.text}; {ROUTE}", style="bold", highlight=False)
    splits = source.load()

    folder = Path(config["output_dir"])
    write_provenance(folder, config)
    write_data_files(folder, splits)
    tags = {"overrides": " ".join(HydraConfig.get().overrides.task), "config_hash": config_hash(config)}
    tags |= {"converted_from": f"{file.path.name} sha256:{file.sha256[:16]}", "conversion_route": ROUTE}
    with tracking.run(config["name"], params=config, tags=tags, parent=parent_run_id()) as tracked:
        tracked.log_datasets(splits)
        info = run_info(tracked.run_id, config, started)
        context = RunContext(folder, config, info, started_s, package_versions())
        try:
            conversion = _convert(file, scaling, target, quantization, splits, context)
            report = _measure(file, quantization, evaluation, splits, conversion, context)
            tracked.log_metrics(report_metrics(report))
            tracked.set_tags(report_tags(report))
        finally:  # a conversion that failed leaves its model files and log, which are what one debugs with
            tracked.log_artifacts(folder)
    print_summary(
        report,
        report_path=folder / "report.html",
        ui_command=tracking.ui_command(),
        ui_page=tracking.ui_page(),
    )
    console.print(f"{'from':<11}{file.path.name}, {ROUTE}", highlight=False, soft_wrap=True)
    return report


def _config(file: OnnxFile, scaling: InputScaling, cfg: DictConfig) -> dict[str, Any]:
    """What decides the result: the config without what is not used, and the file by its content."""
    config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    used = {key: value for key, value in config.items() if key not in NOT_USED}
    network = {"file": file.path.name, "sha256": file.sha256}
    return {**used, "onnx": {**network, "input_scale": scaling.scale, "input_offset": scaling.offset}}


def _convert(
    file: OnnxFile,
    scaling: InputScaling,
    target: AkidaTarget,
    quantization: Quantization,
    splits: Splits,
    context: RunContext,
) -> Conversion:
    count, seed = quantization.calibration_images, context.config["seed"]
    return convert_onnx(
        file.path,
        target=target,
        images=calibration_images(splits, count, seed=seed),
        test_images=test_images(splits),
        weight_bits=quantization.weight_bits,
        activation_bits=quantization.activation_bits,
        input_scale=scaling.scale,
        input_offset=scaling.offset,
        folder=context.folder,
    )


def _measure(
    file: OnnxFile,
    quantization: Quantization,
    evaluation: Evaluation,
    splits: Splits,
    conversion: Conversion,
    context: RunContext,
) -> dict[str, Any]:
    of_test, of_external = by_side(splits, conversion.logits)
    macs = sum(layer.macs for layer in conversion.layers)
    return evaluation.measure(
        folder=context.folder,
        run=finished(context),
        splits=splits,
        backbone=BackboneInfo(file.path.stem, "onnx", file.parameters, macs),
        quantization=QuantizationInfo(
            quantization.weight_bits, quantization.activation_bits, INPUT_WEIGHT_BITS
        ),
        float_network=None,  # nothing of torch to time on this host
        stage_logits=of_test,
        external_logits=of_external,
        conversion=conversion,
        incremental=None,
        versions=context.versions,
    )


def _require_quantization(quantization: Quantization | None) -> None:
    if quantization is None or quantization.input_weight_bits != INPUT_WEIGHT_BITS:
        bits = "none" if quantization is None else f"{quantization.input_weight_bits} bits in the first layer"
        raise QanaError(
            f"a network from a file is quantized here, and not by {bits}",
            where="quantization",
            allowed=f"a bit-width for weights and activations; {INPUT_WEIGHT_BITS} bits in the first layer",
            fix="choose quantization=w8a8 or quantization=w4a4",
        )


def _require_no_robustness(evaluation: Evaluation) -> None:
    if evaluation.robustness is not None and evaluation.robustness.wanted:
        raise QanaError(
            "changed images are put to the trained network, and a file brings none that torch runs",
            where=f"evaluation.robustness.images = {evaluation.robustness.images}",
            allowed="0 with onnx=FILE; any number in qana run",
            fix="leave out evaluation.robustness.images",
        )


def _require_one_view(evaluation: Evaluation) -> None:
    if evaluation.views != 1:
        raise QanaError(
            "orientations are put to the trained network, and a file brings none that torch runs",
            where=f"evaluation.views = {evaluation.views}",
            allowed="1 with onnx=FILE; 1 or 8 in qana run",
            fix="leave out evaluation.views",
        )


def _require_classes(file: OnnxFile, source: Source) -> None:
    if file.classes is not None and file.classes != len(source.classes):
        raise QanaError(
            f"the network knows {file.classes} classes, the data have {len(source.classes)}",
            where=f"onnx = {file.path}, dataset = {source.name}",
            allowed=f"one logit per class, in this order: {', '.join(source.classes)}",
            fix="name the data that the network was trained for; dataset=clinical maps labels to classes",
        )
