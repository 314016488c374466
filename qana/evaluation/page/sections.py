"""The parts of the page, each made from the report and the predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qana.conversion.product import LayerReport
from qana.evaluation.calibration import bin_rows
from qana.evaluation.confusion import confusion_matrix
from qana.evaluation.page.charts import (
    STAGE_LABELS,
    confusion_chart,
    ladder_chart,
    reliability_chart,
)
from qana.evaluation.page.markup import (
    ABSENT,
    bar,
    count,
    definitions,
    percent,
    points,
    share_with_interval,
    si,
    significant,
    table,
    tag,
    text,
)
from qana.evaluation.predictions import Predictions

Report = Mapping[str, Any]


def section(title: str, content: str, lead: str = "") -> str:
    """A titled part of the page with an optional sentence that says how to read it."""
    return tag(
        "section", tag("h2", text(title)) + (tag("p", text(lead), class_="lead") if lead else "") + content
    )


def badge(provenance: str) -> str:
    """How a figure came about: measured or modelled."""
    return tag("span", text(provenance), class_=f"badge {provenance}")


def shown_stages(report: Report) -> list[str]:
    """The trained network and the chip, or what comes closest in a run without conversion."""
    stages = list(report["stages"])
    return [stage for stage in ("torch", "akida") if stage in stages] or stages[-1:]


def header(report: Report) -> str:
    """The run's name, what it is and its verdict."""
    run, data = report["run"], report["dataset"]
    target = report["conversion"]["target"] if report["conversion"] else "no conversion"
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
    return line


def _verdict(report: Report) -> str:
    last = list(report["stages"])[-1]
    scores, cost = report["stages"][last], report["cost"]
    tiles = [
        (f"{STAGE_LABELS[last]} macro F1", percent(scores["macro_f1"])),
        (f"{STAGE_LABELS[last]} accuracy", percent(scores["accuracy"])),
    ]
    if report["conversion"]:
        tiles.append(("agreement torch, Akida", percent(report["conversion"]["agreement"])))
    if cost:
        for name, key, unit in (("latency", "latency_ms", "ms"), ("energy", "energy_mj", "mJ")):
            tiles.append((f"{name}, {cost[key]['provenance']}", f"{significant(cost[key]['value'])} {unit}"))
    boxes = "".join(tag("div", tag("b", text(v)) + tag("span", text(k))) for k, v in tiles)
    return tag("p", text(verdict(report)), class_="verdict") + tag("div", boxes, class_="tiles")


def ladder(report: Report) -> str:
    """Every stage with its intervals, as a chart and as a table."""
    stages = report["stages"]
    rows = [
        [
            text(STAGE_LABELS[name]),
            *(
                share_with_interval(found[metric], found["ci95"][metric])
                for metric in ("accuracy", "macro_f1", "balanced_accuracy", "ece")
            ),
            percent(found["macro_auroc"]),
        ]
        for name, found in stages.items()
    ]
    head = ["Stage", "Accuracy", "Macro F1", "Balanced accuracy", "Calibration error", "Macro AUROC"]
    caption = "Test scores; 95 % bootstrap intervals, whole lesions drawn with replacement"
    lead = "The same test images at every stage, from the network before quantization to the chip's integers."
    return section(
        "Stage ladder",
        tag("div", ladder_chart(stages), class_="scroll") + table(head, rows, caption=caption),
        lead,
    )


def per_class(report: Report) -> str:
    """Float against the chip for every class, rarest first."""
    stages = report["stages"]
    compared = [stage for stage in ("float", "akida") if stage in stages] or list(stages)[-1:]
    first = stages[compared[0]]["per_class"]
    names = sorted(first, key=lambda name: (first[name]["support"], name))
    head = ["Class", "Test images"]
    head += [f"{metric}, {STAGE_LABELS[s]}" for s in compared for metric in ("Precision", "Recall", "F1")]
    rows = []
    for name in names:
        row = [text(name), count(first[name]["support"])]
        for stage in compared:
            scores = stages[stage]["per_class"][name]
            row += [
                percent(scores["precision"]),
                percent(scores["recall"]),
                bar(scores["f1"], percent(scores["f1"])),
            ]
        rows.append(row)
    return section(
        "Classes, rarest first", table(head, rows, caption="Scores of each class on the test images")
    )


def confusions(report: Report, said: Predictions) -> str:
    """Who is taken for whom, before and after conversion."""
    figures = []
    for stage in shown_stages(report):
        matrix = confusion_matrix(said.target, said.stage_logits[stage].argmax(1), len(said.classes))
        chart = confusion_chart(matrix, said.classes, f"Confusion matrix, {STAGE_LABELS[stage]}")
        figures.append(tag("figure", tag("figcaption", text(STAGE_LABELS[stage])) + chart))
    lead = "Test images by true and predicted class; a stronger shade marks a larger share of the true class."
    return section("Confusion", tag("div", "".join(figures), class_="figures"), lead)


def reliability(report: Report, said: Predictions) -> str:
    """Whether confidence can be believed."""
    stages = shown_stages(report)
    chart = reliability_chart({s: bin_rows(said.stage_logits[s], said.target).sum(axis=0) for s in stages})
    lead = "On the diagonal a network is right as often as it says. Larger dots hold more images."
    errors = definitions(
        (f"Calibration error, {STAGE_LABELS[s]}", percent(report["stages"][s]["ece"])) for s in stages
    )
    return section("Reliability", tag("div", tag("figure", chart) + errors, class_="figures"), lead)


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
    return section("Cost", "".join(parts) or tag("p", "Not measured in this run."), lead)


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


def program(report: Report, layers: Sequence[LayerReport]) -> str:
    """How the program sits on the device and what each of its layers did."""
    conversion, mapping = report["conversion"], report["mapping"]
    if conversion is None or mapping is None:
        return ""
    facts = definitions(
        [
            ("Device", text(mapping["device"])),
            ("Neural processors", count(mapping["nps"])),
            ("Sequences, passes", f"{mapping['sequences']}, {mapping['passes']}"),
            ("Program", f"{count(mapping['program_bytes'])} B"),
            ("Hardware only", "yes" if mapping["hardware_only"] else "no"),
            ("Layers covered", percent(conversion["coverage"])),
            ("Largest logit error", significant(conversion["max_abs_logit_error"])),
        ]
    )
    head = [
        "Layer",
        "Type",
        "Output",
        "MACs",
        "NPs",
        "Input zeros",
        "Output zeros",
        "Saturated",
        "Error, last bits",
    ]
    rows = [_layer_row(layer) for layer in layers]
    caption = "Largest difference from the torch network in units of the last bit, over the test images"
    return section("Program on the chip", facts + table(head, rows, caption=caption, numeric_from=2))


def _layer_row(layer: LayerReport) -> list[str]:
    return [
        text(layer.name),
        text(layer.kind),
        text(" × ".join(map(str, layer.output_shape))),  # noqa: RUF001 - the multiplication sign
        si(layer.macs),
        count(layer.nps) if layer.nps else ABSENT,
        bar(layer.input_sparsity, percent(layer.input_sparsity, 0)),
        bar(layer.output_sparsity, percent(layer.output_sparsity, 0)),
        percent(layer.saturated_share, 2),
        significant(layer.max_error_lsb),
    ]


def lineage(report: Report, versions: Mapping[str, str]) -> str:
    """Where data, code and configuration come from."""
    run, data, network = report["run"], report["dataset"], report["backbone"]
    commit = ABSENT if run["git_sha"] is None else f"{tag('code', text(run['git_sha'][:12]))}"
    pairs = [
        ("Run", tag("code", text(run["id"]))),
        ("Started", text(run["started"])),
        ("Duration", f"{count(run['duration_s'])} s"),
        ("Seed", text(run["seed"])),
        ("Configuration", tag("code", text(run["config_hash"]))),
        ("Commit", commit + (" with local changes" if run["dirty"] else "")),
        ("Data", f"{text(data['name'])}, {tag('code', text(data['fingerprint'][:16]))}"),
        ("Split", f"by {text(data['split']['protocol'])}, {tag('code', text(data['split']['hash'][:16]))}"),
        ("Network", f"{text(network['name'])} ({text(network['form'])})"),
        ("Parameters, MACs", f"{count(network['parameters'])}, {si(network['macs'])}"),
    ]
    packages = definitions((name, tag("code", text(version))) for name, version in versions.items())
    return section("Lineage", definitions(pairs) + tag("h3", "Versions") + packages)
