"""Tables of the float network on this host, and of NeuroBench's metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qana.evaluation.page.markup import ABSENT, badge, count, percent, si, significant, table, tag, text

Row = Mapping[str, Any]


def host_table(host: Row) -> str:
    """Every runtime, device and batch size."""
    rows = [
        [
            text(run["runtime"]),
            text(run["device"]),
            count(run["batch"]),
            significant(run["p50_ms"]),
            significant(run["p95_ms"]),
            significant(run["p99_ms"]),
            significant(run["images_per_s"]),
            significant(run["energy_mj"]["value"]) if run["energy_mj"] else ABSENT,
        ]
        for run in host.get("runs", ())
    ]
    head = (
        "Runtime",
        "Device",
        "Batch",
        "Median, ms",
        "95th, ms",
        "99th, ms",
        "Images/s",
        "Energy, mJ per image",
    )
    caption = "Per call; energy of the whole package or GPU, where a counter can be read"
    notes = "".join(tag("p", text(note), class_="lead") for note in host.get("absent", ()))
    shown = table(head, rows, caption=caption, numeric_from=2) if rows else ""
    return tag("h3", f"Float network on this host {badge('measured')}") + shown + notes


def neurobench_table(found: Row) -> str:
    """NeuroBench's metrics under its own names, a column per network."""
    networks = [name for name in ("float", "quantized") if name in found]
    rows = [[text(name), *(show(found[network]) for network in networks)] for name, show in _ROWS]
    caption = (
        f"Per image, counted on {count(found['images'])} test images; quantized: on the chip's integers,"
        " footprint of its codes"
    )
    shown = table(("Metric", *networks), rows, caption=caption)
    return tag("h3", "NeuroBench") + shown + _by_layer(found, networks)


def _by_layer(found: Row, networks: list[str]) -> str:
    parts = []
    for network in networks:
        sparsity = found[network]["activation_sparsity_by_layer"]
        rows = [[text(name), percent(share)] for name, share in sparsity.items()]
        head = ("Activation", "activation_sparsity_by_layer")
        parts.append(tag("figure", table(head, rows, caption=f"{network} network")))
    return tag("div", "".join(parts), class_="figures")


_ROWS = (
    ("footprint, B", lambda row: count(row["footprint"])),
    ("connection_sparsity", lambda row: percent(row["connection_sparsity"])),
    ("activation_sparsity", lambda row: percent(row["activation_sparsity"])),
    ("synaptic_operations: Effective_MACs", lambda row: si(row["synaptic_operations"]["Effective_MACs"])),
    ("synaptic_operations: Effective_ACs", lambda row: si(row["synaptic_operations"]["Effective_ACs"])),
    ("synaptic_operations: Dense", lambda row: si(row["synaptic_operations"]["Dense"])),
)
