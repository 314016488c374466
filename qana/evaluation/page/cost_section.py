"""The part of the page on latency and energy, each with its provenance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qana.evaluation.page.markup import (
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


def cost(report: Report) -> str:
    """Latency and energy with interval and provenance, next to the host's."""
    found, host = report["cost"], report["host"]
    parts = []
    if found:
        rows = [
            _estimate_row("Latency, ms", found["latency_ms"]),
            _estimate_row("Energy, mJ", found["energy_mj"]),
        ]
        head = ["Per image", "Value", "Interval", "Provenance", "Formula, constants and sources"]
        parts.append(table(head, rows, caption="The program on the chip", numeric_from=9))
        parts.append(
            definitions(
                [
                    ("Dense MACs", si(found["macs"])),
                    ("Synaptic operations", si(found["synops"])),
                    ("Activation sparsity", percent(found["activation_sparsity"])),
                    ("Weights", f"{count(found['footprint_bytes'])} B"),
                ]
            )
        )
    if host:
        parts.append(_host(host))
    lead = "Never the speed of a simulator: a figure is measured on a device or modelled with its formula."
    return section("Cost", "".join(parts) or tag("p", "Not known of this run."), lead)


def badge(provenance: str) -> str:
    """How a figure came about: measured or modelled."""
    return tag("span", text(provenance), class_=f"badge {provenance}")


def _estimate_row(name: str, estimate: Mapping[str, Any]) -> list[str]:
    interval = f"{significant(estimate['low'])} to {significant(estimate['high'])}"
    return [
        text(name),
        significant(estimate["value"]),
        tag("span", interval, class_="nowrap"),
        badge(estimate["provenance"]),
        tag("span", text(estimate["source"]), class_="source"),
    ]


def _host(host: Report) -> str:
    energy = host["energy_mj"]
    latency = host["latency_ms"]
    mj = f"{significant(energy['value'])} mJ {badge(energy['provenance'])}" if energy else "not readable here"
    return tag("h3", "Float network on this host, batch 1") + definitions(
        [
            ("Device", text(host["device"])),
            ("Latency, median", f"{significant(latency['p50'])} ms {badge('measured')}"),
            ("Latency, 95th percentile", f"{significant(latency['p95'])} ms {badge('measured')}"),
            ("Energy per image", mj),
        ]
    )
