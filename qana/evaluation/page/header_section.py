"""The top of the page: which run this is, and its verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qana.evaluation.page.charts import STAGE_LABELS, network_label
from qana.evaluation.page.markup import count, percent, points, si, significant, tag, text
from qana.evaluation.stages import converted_stage

Report = Mapping[str, Any]


def header(report: Report) -> str:
    """The run's name, what it is and its verdict."""
    run, data = report["run"], report["dataset"]
    target = (report["conversion"] or report.get("snn") or {"target": "no conversion"})["target"]
    facts = (
        f"{report['backbone']['name']} on {data['name']}, {_bits(report)}, {target};"
        f" test split by {data['split']['protocol']} ({count(data['sizes']['test'])} images{_siblings(data)})"
    )
    status = tag("span", text(run["status"]), class_="badge status")
    top = tag("p", f"QANA run report {status}", class_="kicker")
    return tag("header", top + tag("h1", text(run["name"])) + tag("p", text(facts)) + _verdict(report))


def _siblings(data: Report) -> str:
    """What inflates the scores, said where they are read."""
    siblings = data["split"]["siblings"]["test"]
    return f", {count(siblings)} of them with a sibling in training" if siblings else ""


def _bits(report: Report) -> str:
    bits = report["quantization"]
    if bits["weight_bits"] is None:
        return "float"
    return f"{bits['weight_bits']}-bit weights, {bits['activation_bits']}-bit activations"


def verdict(report: Report) -> str:
    """The run in one line: agreement and what the conversion cost."""
    conversion = report["conversion"]
    if "snn" in report:
        return _spiking_verdict(report["snn"])
    if conversion is None:
        last = list(report["stages"])[-1]
        return f"{STAGE_LABELS[last]}: macro F1 {percent(report['stages'][last]['macro_f1'])}, not converted"
    line = f"agreement {percent(conversion['agreement'])}"
    drop = conversion["macro_f1_drop"]
    if drop:
        low, high = drop["ci95"]
        line += (
            f", macro F1 drop {points(drop['value'])} points (95 % interval {points(low)} to {points(high)})"
        )
    failure = report["mapping"]["failure"]
    return line if failure is None else f"{line}; not placed on {report['mapping']['device']}: {failure}"


def _spiking_verdict(found: Report) -> str:
    drop = found["macro_f1_drop"]
    low, high = drop["ci95"]
    return (
        f"spiking for {found['time_steps']} steps: same class as the float network on"
        f" {percent(found['agreement'])} of test images, macro F1 drop {points(drop['value'])} points"
        f" (95 % interval {points(low)} to {points(high)})"
    )


def _verdict(report: Report) -> str:
    last = list(report["stages"])[-1]
    scores, cost = report["stages"][last], report["cost"]
    tiles = [
        (f"{STAGE_LABELS[last]} macro F1", percent(scores["macro_f1"])),
        (f"{STAGE_LABELS[last]} accuracy", percent(scores["accuracy"])),
    ]
    if report["conversion"]:
        converted = network_label(converted_stage(report["stages"]))
        tiles.append((f"agreement {converted}, Akida", percent(report["conversion"]["agreement"])))
    if "snn" in report:
        tiles.append(("agreement float, SNN", percent(report["snn"]["agreement"])))
        tiles.append(("synaptic operations per image, counted", si(report["snn"]["synops"])))
    if cost:
        for name, key, unit in (("latency", "latency_ms", "ms"), ("energy", "energy_mj", "mJ")):
            tiles.append((f"{name}, {cost[key]['provenance']}", f"{significant(cost[key]['value'])} {unit}"))
    boxes = "".join(tag("div", tag("b", text(v)) + tag("span", text(k))) for k, v in tiles)
    return tag("p", text(verdict(report)), class_="verdict") + tag("div", boxes, class_="tiles")
