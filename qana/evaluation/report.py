"""report.json: everything a run found, in the shape of the contract."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qana.backbone.complexity import LayerComplexity, peak_activation_bytes
from qana.conversion.product import Conversion, MappingReport
from qana.dataset.splits import Splits
from qana.evaluation.contract import LAYER_FACTS, SCHEMA, check_report
from qana.evaluation.dataset_block import dataset_block
from qana.evaluation.files import write_text_atomically
from qana.evaluation.metrics import Difference, StageMetrics, agreement
from qana.evaluation.stages import converted_stage, in_ladder_order

# What is only known of a program that was placed on the device.
PLACED = ("sequences", "passes", "nps", "program_bytes", "hardware_only", "mode")


@dataclass(frozen=True)
class RunInfo:
    """Which run this is: `started` is ISO 8601 with a zone, `status` as tracked, `duration_s` so far."""

    id: str
    name: str
    config_hash: str
    git_sha: str | None
    dirty: bool | None
    seed: int
    started: str
    duration_s: float
    status: str


@dataclass(frozen=True)
class BackboneInfo:
    """The float network: its name, form, trainable parameters and dense MACs for one image, and its layers.

    `layers` is empty for a network that came as a file, whose layers are those of the program.
    """

    name: str
    form: str
    parameters: int
    macs: int
    layers: tuple[LayerComplexity, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The block of report.json; the layers and their peak of memory where they are known."""
        block = asdict(self)
        if self.layers:
            block["peak_activation_bytes"] = peak_activation_bytes(self.layers)
        else:
            del block["layers"]
        return block


@dataclass(frozen=True)
class QuantizationInfo:
    """Bit-widths of weights, activations and the input layer's weights; None for a float network."""

    weight_bits: int | None
    activation_bits: int | None
    input_weight_bits: int | None


def conversion_block(
    conversion: Conversion,
    stage_logits: Mapping[str, NDArray[np.float32]],
    *,
    drop: Difference | None,
    damage: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Compare the trained network with the chip's answer to the same test images.

    `drop` and `damage` (of `damage_block`) compare with the float network; None without one.
    """
    trained, akida = stage_logits[converted_stage(stage_logits)], stage_logits["akida"]
    return {
        "target": conversion.target,
        "agreement": agreement(trained, akida),
        "max_abs_logit_error": float(np.abs(trained - akida).max()),
        "macro_f1_drop": drop.as_dict() if drop else None,
        "damage": damage,
        "layers": [{fact: getattr(layer, fact) for fact in LAYER_FACTS} for layer in conversion.layers],
        "coverage": conversion.coverage,
    }


def mapping_block(mapping: MappingReport) -> dict[str, Any]:
    """How the program sits on the device; of a mapping that failed, its zeros are no numbers but None."""
    block = asdict(mapping)
    if mapping.failure is not None:
        block |= dict.fromkeys(PLACED)
    return block


def build_report(
    *,
    run: RunInfo,
    splits: Splits,
    backbone: BackboneInfo,
    quantization: QuantizationInfo,
    stages: Mapping[str, StageMetrics],
    conversion: Mapping[str, Any] | None,
    mapping: MappingReport | None,
    cost: Mapping[str, Any] | None,
    cost_absent: str | None,
    host: Mapping[str, Any] | None,
    paper: Mapping[str, Any] | None,
    neurobench: Mapping[str, Any] | None,
    strata: Mapping[str, Any] | None,
    external_test: Mapping[str, Any] | None,
    incremental: Mapping[str, Any] | None,
    snn: Mapping[str, Any] | None = None,
    validation: Mapping[str, Any] | None = None,
    trust: Mapping[str, Any] | None = None,
    robustness: Mapping[str, Any] | None = None,
    views: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Put the findings of a run into the shape of the contract.

    `conversion` is what `conversion_block` returns, `strata` what `strata_block`, `external_test` what
    `external_block`, `cost` what `cost_block`, `paper` what `paper_block`, `snn` what `spiking_block`,
    `validation` and `trust` what `validation_block` and `trust_block`, `robustness` what `Robustness.block`,
    `views` what `views_block`.
    Blocks that a run does not have are None, but from `cost_absent` on absent. NaN and infinity become None.

    Raises:
        ValueError: the result does not follow the contract.
    """
    report: dict[str, Any] = {
        "schema": SCHEMA,
        "run": asdict(run),
        "dataset": dataset_block(splits),
        "backbone": backbone.as_dict(),
        "quantization": asdict(quantization),
        "stages": {name: stages[name].as_dict() for name in in_ladder_order(stages)},
        "conversion": conversion,
        "mapping": mapping_block(mapping) if mapping else None,
        "cost": cost,
        "host": host,
    }
    extra = {
        "cost_absent": cost_absent,
        "paper": paper,
        "neurobench": neurobench,
        "strata": strata,
        "external_test": external_test,
        "incremental": incremental,
        "snn": snn,
        "validation": validation,
        "trust": trust,
        "robustness": robustness,
        "views": views,
    }
    report |= {name: block for name, block in extra.items() if block is not None}
    report = _plain(report)
    check_report(report)
    return report


def _plain(value: Any) -> Any:
    """Plain JSON types only: tuples become lists, numpy scalars Python ones, non-finite numbers None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_report_json(path: Path, report: Mapping[str, Any]) -> None:
    """Write the report in the contract's order; readers see the old file or the whole new one."""
    text = json.dumps(_plain(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_text_atomically(path, text)
