"""The part of the page on latency and energy, each with its provenance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qana.evaluation.page.cost_charts import energy_breakdown, latency_waterfall
from qana.evaluation.page.cost_tables import (
    device_table,
    energy_model_table,
    layer_table,
    paper_table,
    residual_table,
)
from qana.evaluation.page.host_tables import host_table, neurobench_table
from qana.evaluation.page.markup import (
    ABSENT,
    badge,
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
WAYS = {
    "stream": "Stream, core",
    "wall": "One image, wall",
    "wall_stream": "Stream, wall",
}


def cost(report: Report) -> str:
    """Latency and energy with interval and provenance, next to the host's."""
    found, host = report["cost"], report["host"]
    parts = []
    if found:
        parts += [_figures(found), _facts(found)]
    if found and "layers" in found:
        parts += [_drawn(found), energy_model_table(found), layer_table(found)]
    if found and "measured" in found:
        parts.append(device_table(found["measured"]))
    if "paper" in report:
        parts.append(paper_table(report["paper"]))
    if host:
        parts.append(host_table(host))
    if "neurobench" in report:
        parts.append(neurobench_table(report["neurobench"]))
    if found and "residuals" in found:
        parts.append(residual_table(found["residuals"]))
    if "cost_absent" in report:
        parts.insert(0, tag("p", text(f"Not known on the chip: {report['cost_absent']}")))
    lead = "Never the speed of a simulator: a figure is measured on a device or modelled with its formula."
    return section("Cost", "".join(parts) or tag("p", "Not known of this run."), lead)


def _figures(found: Report) -> str:
    rows = [
        _row("Latency, ms", found["latency_ms"]),
        _row("Energy, mJ", found["energy_mj"]),
    ]
    if "modelled" in found:
        rows.append(_row("Model: latency, ms", found["modelled"]["latency_ms"]))
        rows.append(_row("Model: energy, mJ", found["modelled"]["energy_mj"]))
    head = ["Per image", "Value", "Interval", "Provenance", "Formula, constants and sources"]
    return table(head, rows, caption="One image on its own on the chip", numeric_from=9) + _ways(found)


def _ways(found: Report) -> str:
    """The other ways of running; formulas and sources are in report.json."""
    rows = [
        [text(WAYS[way]), *_short(figures["latency_ms"]), *_short(figures["energy_mj"])]
        for way, figures in (found.get("ways") or {}).items()
    ]
    if not rows:
        return ""
    head = ("Per image", "Latency, ms", "Interval", "Energy, mJ", "Interval")
    caption = (
        "In a stream (slowest two neighbouring layers), and with the host's share on the"
        f" wall: a stream hands over {found['frames_per_call']} images per call. All modelled"
    )
    return table(head, rows, caption=caption)


def _short(estimate: Mapping[str, Any]) -> list[str]:
    interval = f"{significant(estimate['low'])} to {significant(estimate['high'])}"
    return [significant(estimate["value"]), tag("span", interval, class_="nowrap")]


def _row(name: str, estimate: Mapping[str, Any]) -> list[str]:
    return [
        text(name),
        *_short(estimate),
        badge(estimate["provenance"]),
        tag("span", text(estimate["source"]), class_="source"),
    ]


def _facts(found: Report) -> str:
    pairs = [
        ("Dense MACs", si(found["macs"])),
        ("Synaptic operations", si(found["synops"])),
        ("Activation sparsity", percent(found["activation_sparsity"])),
        ("Weights", f"{count(found['footprint_bytes'])} B"),
    ]
    if "clock_mhz" in found:
        pairs.append(("Clock", f"{found['clock_mhz']:g} MHz"))
    if "duty_cycle" in found:
        pairs += _day(found["duty_cycle"])
    return definitions(pairs)


def _day(day: Report) -> list[tuple[str, str]]:
    rate = f"{significant(day['images_per_s'])} images/s"
    if day["energy_per_day_j"] is None:
        return [(f"A day at {rate}", f"not kept up with: busy {percent(day['busy_share'])} of the time")]
    always, gated = day["energy_per_day_j"], day["energy_per_day_gated_j"]
    return [
        (f"A day at {rate}, board on", _energy(always)),
        (f"A day at {rate}, board off between", _energy(gated)),
    ]


def _energy(day: Report | None) -> str:
    if day is None:
        return ABSENT
    value, low, high = (f"{si(day[end])}J" for end in ("value", "low", "high"))
    return f"{value} ({low} to {high}) {badge(day['provenance'])}"


def _drawn(found: Report) -> str:
    return (
        tag("h3", "Where the time of one image goes")
        + latency_waterfall(found["layers"])
        + tag("h3", "Where the energy of one image goes")
        + energy_breakdown(found)
    )
