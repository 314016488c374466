"""The shape of report.json: the contract that tracking, comparison and readers build on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from qana.evaluation.damage import FLIPS
from qana.evaluation.estimate import PROVENANCES
from qana.evaluation.stages import STAGES

SCHEMA = 1

_SIDES = ("train", "val", "test")
_AUDIT = ("shared_groups", "siblings", "near_duplicates", "pairs", "max_hamming", "max_pixel_distance")
_PAIR = ("first", "second", "first_split", "second_split", "hamming", "pixel_distance", "same_group")
_CHANGE = ("value", "ci95")
_ESTIMATE = ("value", "low", "high", "provenance", "source")
_FIGURES = ("latency_ms", "energy_mj")
# Ways of running beside the headline's one image in the core, and energy by model: see `cost`.
WAYS = ("stream", "wall", "wall_stream")
ENERGY_MODELS = ("floor_aware", "operations_45nm", "memory_45nm")
_NEUROBENCH = (
    "footprint",
    "connection_sparsity",
    "activation_sparsity",
    "activation_sparsity_by_layer",
    "synaptic_operations",
)
_HOST_RUN = (
    "runtime",
    "device",
    "on_gpu",
    "batch",
    "runs",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "images_per_s",
    "energy_mj",
)
_KEYS: dict[str, tuple[str, ...]] = {
    "": (
        "schema", "run", "dataset", "backbone", "quantization", "stages", "conversion", "mapping", "cost",
        "host",
    ),
    "run": ("id", "name", "config_hash", "git_sha", "dirty", "seed", "started", "duration_s", "status"),
    "dataset": (
        "name", "fingerprint", "classes", "sizes", "class_counts", "split", "preprocessing", "audit",
        "skipped",
    ),
    "dataset.sizes": _SIDES,
    "dataset.class_counts": _SIDES,
    "dataset.split": ("protocol", "group_key", "leaked_groups", "folds", "fold", "hash", "siblings"),
    "dataset.split.siblings": ("val", "test"),
    "dataset.preprocessing": ("image_size", "crop", "colour"),
    "dataset.audit": _AUDIT,
    "backbone": ("name", "form", "parameters", "macs"),
    "quantization": ("weight_bits", "activation_bits", "input_weight_bits"),
    "conversion": (
        "target", "agreement", "max_abs_logit_error", "macro_f1_drop", "damage", "layers", "coverage",
    ),
    "conversion.macro_f1_drop": _CHANGE,
    "conversion.damage": ("stages", "images", "min_groups", "flips", "per_class"),
    "conversion.damage.flips": FLIPS,
    "mapping": (
        "device", "sequences", "passes", "nps", "program_bytes", "hardware_only", "nps_available",
        "nps_by_layer", "components", "sram_bytes", "external_memory_bytes", "mode", "advice", "failure",
    ),
    "cost": ("macs", "synops", "activation_sparsity", "footprint_bytes", "latency_ms", "energy_mj"),
    "cost.latency_ms": _ESTIMATE,
    "cost.energy_mj": _ESTIMATE,
    "cost.ways.stream": _FIGURES,
    "cost.ways.wall": _FIGURES,
    "cost.ways.wall_stream": _FIGURES,
    **{f"cost.ways.{way}.{figure}": _ESTIMATE for way in WAYS for figure in _FIGURES},
    "cost.modelled": _FIGURES,
    **{f"cost.modelled.{figure}": _ESTIMATE for figure in _FIGURES},
    "cost.energy_models": ENERGY_MODELS,
    **{f"cost.energy_models.{name}": _ESTIMATE for name in ENERGY_MODELS},
    "cost.duty_cycle": ("images_per_s", "busy_share", "energy_per_day_j", "energy_per_day_gated_j"),
    "host": ("device", "latency_ms", "energy_mj"),
    "host.latency_ms": ("p50", "p95"),
    "paper": (
        "paper", "latency_ms", "energy_mj", "host", "host_latency_ms", "host_energy_mj", "latency_reduction",
        "energy_reduction",
    ),
    "host.energy_mj": ("value", "provenance"),
    "neurobench.float": _NEUROBENCH,
    "neurobench.quantized": _NEUROBENCH,
    "strata": ("stages", "min_groups", "attributes"),
    "external_test": (
        "name", "fingerprint", "size", "class_counts", "absent_classes", "shared_images", "audit", "skipped",
        "stages", "agreement",
    ),
    "external_test.audit": _AUDIT,
    "snn": (
        "target", "percentile", "calibration_images", "initial_potential", "time_steps", "neurons",
        "spikes_per_neuron", "synops", "input_macs", "agreement", "macro_f1_drop", "curve", "layers",
    ),
    "snn.macro_f1_drop": _CHANGE,
    "trust": ("stage", "calibration", "per_class", "failures"),
    "trust.calibration": ("temperature", "ece_before", "ece_after", "coverage"),
    "robustness": ("stage", "images", "unchanged", "changed"),
    "robustness.unchanged": ("accuracy", "macro_f1"),
    "views": ("stage", "count", "averaged", "macro_f1_gain"),
    "views.macro_f1_gain": _CHANGE,
    "views.orientation": ("changed_share", "largest_logit_difference", "per_class"),
    "views.orientation.changed_share": _CHANGE,
    "views.latency_ms": _ESTIMATE,
    "views.energy_mj": _ESTIMATE,
}  # fmt: skip
_STAGE = ("accuracy", "macro_f1", "balanced_accuracy", "ece", "macro_auroc", "per_class", "ci95")
_CLASS = ("precision", "recall", "f1", "support")
_TURNED = ("support", "changed")
_SKIPPED = ("kind", "count", "names")
_STRATUM = ("value", "images", "groups", "few", "stages")
_STRATUM_STAGE = ("accuracy", "balanced_accuracy", "ci95", "per_class")
_RECALL = ("recall", "support", "ci95")
_TRUST = ("support", "validation_support", "points")
_POINT = ("wanted_sensitivity", "threshold", "sensitivity", "specificity", "ci95")
_DAMAGE = ("support", "groups", "few", "flips", "recall_change", "f1_change")
# What a report keeps of each layer of the program: the facts that its acceptance rests on.
LAYER_FACTS = ("name", "max_error_lsb", "saturated_share", "dead_share", "headroom_bits")
_READING = (
    "time_steps", "accuracy", "macro_f1", "ci95", "agreement", "spikes_per_neuron", "synops",
)  # fmt: skip
_SPIKING_LAYER = (
    "name", "kind", "neurons", "threshold", "spikes", "firing_rate", "synops",
)  # fmt: skip
# What it keeps of each layer of the network: `qana.backbone.complexity.LayerComplexity`.
LAYER_COSTS = ("module", "kind", "output_shape", "parameters", "macs", "activation_bytes")
_ROWS = {
    "backbone.layers": LAYER_COSTS,
    "host.runs": _HOST_RUN,
    "cost.layers": (
        "name",
        "kind",
        "nps",
        "events",
        "macs",
        "macs_done",
        "macs_skipped",
        "latency_ms",
        "energy_uj",
    ),
    "cost.residuals": ("network", "target", "run", "quantity", "published", "modelled", "error"),
    "conversion.layers": LAYER_FACTS,
    "dataset.skipped": _SKIPPED,
    "dataset.audit.pairs": _PAIR,
    "external_test.skipped": _SKIPPED,
    "external_test.audit.pairs": _PAIR,
    "snn.curve": _READING,
    "snn.layers": _SPIKING_LAYER,
    "trust.failures": ("image_id", "lesion_id", "true", "predicted", "confidence"),
    "robustness.changed": ("kind", "level", "accuracy", "macro_f1", "macro_f1_drop"),
}
# Blocks that a run without conversion, or a host without counters, leaves empty.
_NULLABLE = (
    "conversion", "conversion.macro_f1_drop", "conversion.damage", "mapping", "cost", "host",
    "host.energy_mj",
)  # fmt: skip
_OPTIONAL = {
    "": (
        "cost_absent", "paper", "neurobench", "strata", "external_test", "incremental", "snn", "validation",
        "trust", "robustness", "views",
    ),
    "views": (*_FIGURES, "orientation"),
    "cost": (
        "ways", "energy_models", "duty_cycle", "layers", "clock_mhz", "frames_per_call", "residuals",
        "measured", "modelled",
    ),
    "backbone": ("layers", "peak_activation_bytes"),
    "host": ("runs", "absent"),
    "host.latency_ms": ("p99",),
}  # fmt: skip


def check_report(report: Mapping[str, Any]) -> None:
    """Refuse a report that is not shaped as the contract says.

    Raises:
        ValueError: every missing, unknown or impossible entry, at once, by its dotted path.
    """
    problems = [*_block_problems(report), *_row_problems(report), *_value_problems(report)]
    for path in ("stages", "external_test.stages"):
        problems += _stage_problems(report, path)
    problems += [*_strata_problems(report), *_damage_problems(report), *_count_problems(report)]
    problems += [*_spiking_problems(report), *_trust_problems(report), *_views_problems(report)]
    if problems:
        raise ValueError("report does not follow schema 1: " + "; ".join(problems))


def lookup(report: Mapping[str, Any], path: str) -> Any:
    """Find an entry by its dotted path; None where it, or a block on the way, is absent or null."""
    found: Any = report
    for key in path.split(".") if path else ():
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _compare(path: str, block: Any, keys: tuple[str, ...], optional: tuple[str, ...] = ()) -> Iterator[str]:
    if not isinstance(block, Mapping):
        yield f"{path} is {type(block).__name__}, not a mapping"
        return
    prefix = f"{path}." if path else ""
    yield from (f"{prefix}{key} is missing" for key in keys if key not in block)
    yield from (f"{prefix}{key} is unknown" for key in block if key not in (*keys, *optional))


def _block_problems(report: Mapping[str, Any]) -> Iterator[str]:
    for path, keys in _KEYS.items():
        parent, _, key = path.rpartition(".")
        holder = lookup(report, parent)
        if path and (not isinstance(holder, Mapping) or key not in holder):
            continue  # reported as missing from its parent, or inside a block that is null
        block = lookup(report, path)
        if block is None and path in _NULLABLE:
            continue
        yield from _compare(path, block, keys, _OPTIONAL.get(path, ()))


def _classes(report: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(lookup(report, "dataset.classes") or ())


def _stage_problems(report: Mapping[str, Any], ladder: str) -> Iterator[str]:
    for stage, block in (lookup(report, ladder) or {}).items():
        path = f"{ladder}.{stage}"
        if stage not in STAGES:
            yield f"{path} is unknown"
        yield from _compare(path, block, _STAGE)
        yield from _per_class_problems(report, path, block, _CLASS)


def _per_class_problems(
    report: Mapping[str, Any], path: str, block: Any, keys: tuple[str, ...]
) -> Iterator[str]:
    per_class = lookup(block, "per_class") or {}
    yield from _compare(f"{path}.per_class", per_class, _classes(report))
    for name, scores in per_class.items():
        yield from _compare(f"{path}.per_class.{name}", scores, keys)


def _strata_problems(report: Mapping[str, Any]) -> Iterator[str]:
    stages = tuple(lookup(report, "strata.stages") or ())
    for attribute, rows in (lookup(report, "strata.attributes") or {}).items():
        for position, row in enumerate(rows):
            path = f"strata.attributes.{attribute}[{position}]"
            yield from _compare(path, row, _STRATUM)
            yield from _compare(f"{path}.stages", lookup(row, "stages"), stages)
            for stage, block in (lookup(row, "stages") or {}).items():
                yield from _compare(f"{path}.stages.{stage}", block, _STRATUM_STAGE)
                yield from _per_class_problems(report, f"{path}.stages.{stage}", block, _RECALL)


def _damage_problems(report: Mapping[str, Any]) -> Iterator[str]:
    path, block = "conversion.damage", lookup(report, "conversion.damage")
    if not isinstance(block, Mapping):
        return
    yield from _per_class_problems(report, path, block, _DAMAGE)
    rows = [row for row in (lookup(block, "per_class") or {}).values() if isinstance(row, Mapping)]
    supports = [row.get("support", 0) for row in rows]
    if supports != sorted(supports):
        yield f"{path}.per_class does not have the rarest class first"
    if sum(supports) != block.get("images"):
        yield f"{path}.per_class adds up to {sum(supports)} images, not to images = {block.get('images')}"
    for kind in FLIPS:
        total = lookup(block, f"flips.{kind}")
        counted = sum(lookup(row, f"flips.{kind}") or 0 for row in rows)
        if counted != total:
            yield f"{path}.per_class adds up to {counted} {kind}, not to flips.{kind} = {total}"


def _trust_problems(report: Mapping[str, Any]) -> Iterator[str]:
    validation, trust = lookup(report, "validation"), lookup(report, "trust")
    if validation is not None:
        yield from _compare("validation", validation, ("stage", "images", *_STAGE))
        yield from _per_class_problems(report, "validation", validation, _CLASS)
    if trust is not None:
        yield from _per_class_problems(report, "trust", trust, _TRUST)
        for name, found in (lookup(trust, "per_class") or {}).items():
            for position, point in enumerate(lookup(found, "points") or ()):
                yield from _compare(f"trust.per_class.{name}.points[{position}]", point, _POINT)


def _views_problems(report: Mapping[str, Any]) -> Iterator[str]:
    averaged = lookup(report, "views.averaged")
    if averaged is not None:
        yield from _compare("views.averaged", averaged, _STAGE)
        yield from _per_class_problems(report, "views.averaged", averaged, _CLASS)
    orientation = lookup(report, "views.orientation")
    if orientation is not None:
        yield from _per_class_problems(report, "views.orientation", orientation, _TURNED)


def _spiking_problems(report: Mapping[str, Any]) -> Iterator[str]:
    curve = lookup(report, "snn.curve")
    if curve is None:
        return
    times = [lookup(reading, "time_steps") or 0 for reading in curve]
    if not times or times != sorted(set(times)) or times[-1] != lookup(report, "snn.time_steps"):
        yield f"snn.curve has readings at {times}, not ascending up to snn.time_steps"
        return
    for metric in ("accuracy", "macro_f1"):
        last, stage = lookup(curve[-1], metric), lookup(report, f"stages.snn.{metric}")
        if last != stage:
            yield f"snn.curve ends with {metric} {last}, but stages.snn.{metric} is {stage}"


def _row_problems(report: Mapping[str, Any]) -> Iterator[str]:
    for path, keys in _ROWS.items():
        for position, row in enumerate(lookup(report, path) or ()):
            yield from _compare(f"{path}[{position}]", row, keys)


def _count_problems(report: Mapping[str, Any]) -> Iterator[str]:
    counted = [(f"dataset.class_counts.{side}", f"dataset.sizes.{side}") for side in _SIDES]
    if "external_test" in report:
        counted.append(("external_test.class_counts", "external_test.size"))
    for path, size in counted:
        counts, expected = lookup(report, path), lookup(report, size)
        yield from _compare(path, counts, _classes(report))
        if isinstance(counts, Mapping) and sum(counts.values()) != expected:
            yield f"{path} adds up to {sum(counts.values())}, not to {size} = {expected}"


def _value_problems(report: Mapping[str, Any]) -> Iterator[str]:
    if report.get("schema") != SCHEMA:
        yield f"schema is {report.get('schema')!r}, not {SCHEMA}"
    figures = [f"cost.ways.{way}.{figure}" for way in WAYS for figure in _FIGURES]
    models = [f"cost.energy_models.{name}" for name in ENERGY_MODELS]
    views = [f"views.{figure}" for figure in _FIGURES]
    for path in ("cost.latency_ms", "cost.energy_mj", "host.energy_mj", *figures, *models, *views):
        block = lookup(report, path)
        if isinstance(block, Mapping) and block.get("provenance") not in PROVENANCES:
            yield f"{path}.provenance is {block.get('provenance')!r}, not one of {list(PROVENANCES)}"
