"""Tables behind the cost of a program: by layer, by model, on a device, against boards and paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qana.evaluation.page.markup import (
    ABSENT,
    badge,
    bar,
    count,
    definitions,
    percent,
    si,
    significant,
    table,
    tag,
    text,
)

Row = Mapping[str, Any]
MODELS = {
    "floor_aware": "The board, floor included",
    "operations_45nm": "45 nm, operations only",
    "memory_45nm": "45 nm, operations and memory",
}
DEVICE_ROWS = {
    "single_wall_ms": "One image, wall, ms",
    "single_core_ms": "One image, core, ms",
    "stream_wall_ms": "Stream, wall, ms per image",
    "stream_core_ms": "Stream, core, ms per image",
    "floor_power_mw": "Floor power, mW",
    "power_mw": "Power in the stream, mW",
    "energy_mj": "Energy, mJ per image",
    "energy_above_floor_mj": "Energy above the floor, mJ per image",
}


def layer_table(cost: Row) -> str:
    """Events, MACs and cost of every layer."""
    head = (
        "Layer",
        "Type",
        "NPs",
        "Events out",
        "MACs",
        "Done",
        "Skipped",
        "Latency, ms",
        "Interval",
        "Events, µJ",
    )
    rows = [_layer(row) for row in cost["layers"]]
    caption = (
        "Modelled for one image, with the sparsity of the test images: events are non-zero outputs, a MAC is"
        " skipped where its input is zero"
    )
    return tag("h3", "Cost by layer") + table(head, rows, caption=caption, numeric_from=2)


def _layer(row: Row) -> list[str]:
    latency = row["latency_ms"]
    skipped = row["macs_skipped"] / row["macs"] if row["macs"] else None
    return [
        text(row["name"]),
        text(row["kind"]),
        count(row["nps"] or None),
        si(row["events"]),
        si(row["macs"]),
        si(row["macs_done"]),
        bar(skipped, percent(skipped, 0)),
        significant(latency["value"]),
        tag("span", f"{significant(latency['low'])} to {significant(latency['high'])}", class_="nowrap"),
        significant(row["energy_uj"]["value"]),
    ]


def energy_model_table(cost: Row) -> str:
    """The same events by three models; only the first knows the board."""
    rows = [
        [
            text(MODELS[name]),
            significant(found["value"]),
            tag("span", f"{significant(found['low'])} to {significant(found['high'])}", class_="nowrap"),
            tag("span", text("As above." if name == "floor_aware" else found["source"]), class_="source"),
        ]
        for name, found in cost["energy_models"].items()
    ]
    head = ("Model", "Energy, mJ", "Interval", "Formula, constants and sources")
    caption = "One image on its own by three models, all modelled"
    return table(head, rows, caption=caption, numeric_from=9)


def device_table(found: Row) -> str:
    """What was read off a physical device."""
    rows = []
    for key, name in DEVICE_ROWS.items():
        if found[key] is not None:
            rows.append(_spread_row(name, found[key]))
    notes = [found[key] for key in ("power_absent", "failure") if found[key]]
    said = "".join(tag("p", text(note)) for note in notes)
    head = ("Measured", "Value", "5th to 95th percentile", "Standard deviation", "Readings")
    caption = f"{found['device']}; energy is the mean power of all readings times the time on the wall"
    shown = table(head, rows, caption=caption) if rows else ""
    return tag("h3", f"On the device {badge('measured')}") + said + shown


def _spread_row(name: str, spread: Row) -> list[str]:
    return [
        text(name),
        significant(spread["value"]),
        f"{significant(spread['low'])} to {significant(spread['high'])}",
        significant(spread["std"]),
        count(spread["readings"]),
    ]


def paper_table(found: Row) -> str:
    """The paper's comparison with a GPU beside the same with this run's figures."""
    paper = found["paper"]
    rows = [
        ["Latency, ms", significant(paper["latency_ms"]), _estimate(found["latency_ms"])],
        ["Energy, mJ", significant(paper["energy_mj"]), _estimate(found["energy_mj"])],
        [
            "Latency below the host's",
            percent(paper["latency_reduction"]),
            _reduction(found["latency_reduction"]),
        ],
        [
            "Energy below the host's",
            percent(paper["energy_reduction"]),
            _reduction(found["energy_reduction"]),
        ],
    ]
    head = ("One image", f"Paper ({paper['source']})", "This run")
    host = found["host"] or "not timed"
    caption = f"The paper's host is a GPU with the same CNN; this run's: {host}, batch 1"
    return tag("h3", "The paper's comparison") + table(head, rows, caption=caption)


def _estimate(figure: Row) -> str:
    interval = f"{significant(figure['low'])} to {significant(figure['high'])}"
    return f"{significant(figure['value'])} ({interval}) {badge(figure['provenance'])}"


def _reduction(found: Row | None) -> str:
    if found is None:
        return f"{ABSENT} not readable here"
    if found["value"] < 0:
        times = [significant(1 - found[end]) for end in ("value", "high", "low")]
        return f"higher: {times[0]} times it ({times[1]} to {times[2]})"
    return f"{percent(found['value'])} ({percent(found['low'])} to {percent(found['high'])})"


def residual_table(rows: Sequence[Row]) -> str:
    """How far the model is off for boards that others measured."""
    shown = [
        [
            text(row["network"]),
            text(row["target"]),
            text(row["run"]),
            text(row["quantity"]),
            significant(row["published"]),
            significant(row["modelled"]),
            f"{100 * row['error']:+.1f} %".replace("-", "−"),  # noqa: RUF001 - the minus sign
        ]
        for row in rows
    ]
    worst = max(
        (row for row in rows if row["target"] == "akd1000"), key=lambda row: abs(row["error"]), default=None
    )
    lead = [("Worst on AKD1000", f"{100 * abs(worst['error']):.0f} %")] if worst else []
    head = ("Network", "Board", "Run", "Per image", "Published", "Modelled", "Error")
    caption = (
        "The model with this run's constants against published measurements: what the AKD1000 board adds was"
        " fitted to its three runs, the rates of layers to AkidaNets on AKD1500; its clocks were not fitted"
    )
    table_ = table(head, shown, caption=caption, numeric_from=4)
    return tag("h3", "How far the model can be trusted") + definitions(lead) + table_
