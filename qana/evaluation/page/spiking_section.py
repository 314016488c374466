"""The part of the page on the spiking network: scores over time, and the spikes that they take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qana.evaluation.page.markup import (
    ABSENT,
    bar,
    count,
    percent,
    section,
    share_with_interval,
    si,
    significant,
    table,
    tag,
    text,
)
from qana.evaluation.page.spiking_chart import spiking_chart

Report = Mapping[str, Any]


def spiking(report: Report) -> str:
    """What the spiking network says after every number of steps; nothing where no network spikes."""
    found = report.get("snn")
    if found is None:
        return ""
    chart = tag("div", spiking_chart(found["curve"], report["stages"]["float"]), class_="scroll")
    return section("Spiking network", chart + _readings(found) + _layers(found), _lead(report, found))


def _lead(report: Report, found: Report) -> str:
    macs = report["backbone"]["macs"]
    return (
        f"The float network as {count(found['neurons'])} integrate-and-fire neurons, with thresholds at the"
        f" {found['percentile']:g}th percentile of their activations on {count(found['calibration_images'])}"
        f" training images. After {count(found['time_steps'])} steps every neuron has fired"
        f" {significant(found['spikes_per_neuron'])} times in the mean, and an image has taken"
        f" {si(found['synops'])} synaptic operations, where the float network multiplies {si(macs)} times."
        " Simulated and counted, not measured on a device."
    )


def _readings(found: Report) -> str:
    head = ["Time steps T", "Accuracy", "Macro F1", "Same class as float", "Spikes per neuron",
            "Synaptic operations"]  # fmt: skip
    rows = [
        [
            count(reading["time_steps"]),
            *(share_with_interval(reading[name], reading["ci95"][name]) for name in ("accuracy", "macro_f1")),
            percent(reading["agreement"]),
            significant(reading["spikes_per_neuron"]),
            si(reading["synops"]),
        ]
        for reading in found["curve"]
    ]
    caption = (
        "Means over the test images; 95 % bootstrap intervals, whole lesions drawn with replacement. A"
        " synaptic operation adds a weight where a spike arrives; besides, the first layer multiplies"
        f" {si(found['input_macs'])} times an image, and every neuron adds its bias at every step"
    )
    return table(head, rows, caption=caption)


def _layers(found: Report) -> str:
    head = ["Layer", "Kind", "Neurons", "Threshold", "Firing rate", "Synaptic operations"]
    rows = [
        [
            text(layer["name"]),
            text(layer["kind"]),
            count(layer["neurons"]) if layer["neurons"] else ABSENT,
            significant(layer["threshold"]),
            bar(layer["firing_rate"], percent(layer["firing_rate"])),
            si(layer["synops"]) if layer["synops"] else ABSENT,
        ]
        for layer in found["layers"]
    ]
    caption = (
        f"Layers after {count(found['time_steps'])} steps. Firing rate: spikes per neuron and step. The first"
        " layer reads pixels, so no spike arrives there; the head collects logits and does not fire"
    )
    return table(head, rows, caption=caption, numeric_from=2)
