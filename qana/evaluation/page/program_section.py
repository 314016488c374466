"""The part of the page on the program: how it sits on the device, and what each layer did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qana.conversion.product import LayerReport
from qana.evaluation.page.charts import STAGE_LABELS, network_label
from qana.evaluation.page.markup import (
    ABSENT,
    bar,
    count,
    definitions,
    percent,
    section,
    si,
    significant,
    table,
    tag,
    text,
)

Report = Mapping[str, Any]
_LAYER_HEAD = (
    "Layer", "Type", "Output", "MACs", "NPs", "On", "Input zeros", "Output zeros", "Saturated",
    "Dead channels", "Headroom, bits", "Error, last bits",
)  # fmt: skip


def program(report: Report, layers: Sequence[LayerReport]) -> str:
    """The mapping with its advice, and every layer of the program; nothing without a conversion."""
    conversion, mapping = report["conversion"], report["mapping"]
    if conversion is None or mapping is None:
        return ""
    rows = [_layer_row(layer, mapping) for layer in layers]
    content = _facts(mapping, conversion) + _advice(mapping)
    if rows:  # a run that learns on a program of the past did not look into its layers again
        content += tag("h3", "Layers") + table(_LAYER_HEAD, rows, caption=_caption(report), numeric_from=3)
    return section("Program on the chip", content, _failure(mapping))


def _failure(mapping: Report) -> str:
    if mapping["failure"] is None:
        return ""
    return f"Converted, but not placed on {mapping['device']}: {mapping['failure']}"


def _facts(mapping: Report, conversion: Report) -> str:
    return definitions(
        [
            ("Device", text(mapping["device"])),
            ("Neural processors", _processors(mapping)),
            ("Sequences, passes", f"{count(mapping['sequences'])}, {count(mapping['passes'])}"),
            ("Mapper mode", text(mapping["mode"])),
            ("Hardware only", {True: "yes", False: "no", None: ABSENT}[mapping["hardware_only"]]),
            ("Program", _size(mapping["program_bytes"])),
            ("SRAM", _size(mapping["sram_bytes"])),
            ("External memory", _size(mapping["external_memory_bytes"])),
            ("Layers covered", percent(conversion["coverage"])),
            ("Largest logit error", significant(conversion["max_abs_logit_error"])),
        ]
    )


def _processors(mapping: Report) -> str:
    used, available = mapping["nps"], mapping["nps_available"]
    return count(used) if used is None or available is None else f"{count(used)} of {count(available)}"


def _size(size_bytes: int | None) -> str:
    return ABSENT if size_bytes is None else f"{count(size_bytes)} B"


def _advice(mapping: Report) -> str:
    if not mapping["advice"]:
        return ""
    return tag("h3", "What to change") + tag("ul", "".join(tag("li", text(a)) for a in mapping["advice"]))


def _caption(report: Report) -> str:
    """Which images the layers saw: not all of them, and not always of the test split alone."""
    stages = report["stages"]
    compared = network_label("torch") if "torch" in stages else STAGE_LABELS["quantized_keras"]
    behind = ", then of the external test" if "external_test" in report else ""
    return (
        f"Seen on the first images of the test split{behind}, as many as conversion.compared_images says;"
        " headroom on all of them. Headroom: bits between the largest sum and the end of its register. Error:"
        f" largest difference from {compared} in units of the last bit"
    )


def _layer_row(layer: LayerReport, mapping: Report) -> list[str]:
    return [
        text(layer.name),
        text(layer.kind),
        text("×".join(map(str, layer.output_shape))),  # noqa: RUF001 - the multiplication sign
        si(layer.macs),
        count(mapping["nps_by_layer"].get(layer.name) or None),
        text(mapping["components"].get(layer.name, ABSENT)),
        bar(layer.input_sparsity, percent(layer.input_sparsity, 0)),
        bar(layer.output_sparsity, percent(layer.output_sparsity, 0)),
        percent(layer.saturated_share, 2),
        percent(layer.dead_share, 1),
        significant(layer.headroom_bits),
        significant(layer.max_error_lsb),
    ]
