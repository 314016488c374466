"""The part of the page on the network itself: what each of its layers costs for one image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qana.evaluation.page.markup import count, section, si, table, text

_HEAD = ("Module", "Kind", "Output", "Parameters", "MACs", "Activations, bytes")
_CAPTION = (
    "Of the network, not of the program. Activations: the maps that have to exist while a layer runs, at the"
    " bits they have in the quantized network"
)


def network(report: Mapping[str, Any]) -> str:
    """A table of the layers; nothing for a network that came as a file."""
    backbone = report["backbone"]
    layers = backbone.get("layers")
    if not layers:
        return ""
    content = table(_HEAD, [_row(layer) for layer in layers], caption=_CAPTION, numeric_from=3)
    peak = count(backbone["peak_activation_bytes"])
    lead = (
        f"{count(backbone['parameters'])} parameters and {si(backbone['macs'])} MACs in {count(len(layers))}"
        f" layers with weights; at most {peak} bytes of activations at once."
    )
    return section("Network", content, lead)


def _row(layer: Mapping[str, Any]) -> list[str]:
    return [
        text(layer["module"]),
        text(layer["kind"]),
        text("×".join(map(str, layer["output_shape"]))),  # noqa: RUF001 - the multiplication sign
        count(layer["parameters"]),
        si(layer["macs"]),
        count(layer["activation_bytes"]),
    ]
