"""The last thing a run says on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from qana.console import console
from qana.evaluation.stages import converted_stage, float_stage


def print_summary(
    report: Mapping[str, Any], *, report_path: Path, ui_command: str, ui_page: str | None = None
) -> None:
    """Print one table of the stages, what the conversion and the chip cost, and where to look next.

    Args:
        report: follows the contract.
        report_path: the page of this run.
        ui_command: what to type to open the MLflow UI.
        ui_page: address to open then; None where there is nothing to add.
    """
    console.print(_stage_table(report))
    lines = summary_lines(report, report_path=report_path, ui_command=ui_command)
    for name, value in [*lines, *([("then open", ui_page)] if ui_page else [])]:
        line = Text(f"{name:<11}", style="bold")
        # Paths and commands are copied from here: no wrapping inside them, no markup read into them.
        console.print(line.append(value, style="not bold"), soft_wrap=True, highlight=False)


def summary_lines(report: Mapping[str, Any], *, report_path: Path, ui_command: str) -> list[tuple[str, str]]:
    """The lines below the table, as name and text."""
    lines = [("split", _split(report["dataset"]))]
    if report["conversion"]:
        lines += _conversion(report)
    if "snn" in report:
        lines.append(("spiking", _spiking(report["snn"])))
    cost = report["cost"]
    if cost:
        lines.append(("latency", _estimate(cost["latency_ms"], "ms")))
        lines.append(("energy", _estimate(cost["energy_mj"], "mJ")))
    if "external_test" in report:
        lines.append(("external", _external(report["external_test"])))
    return [*lines, ("report", str(report_path)), ("MLflow UI", ui_command)]


def _conversion(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    found, mapping, stages = report["conversion"], report["mapping"], report["stages"]
    agreement = _percent(found["agreement"])
    lines = [("agreement", f"{agreement} of test images, {converted_stage(stages)} and akida")]
    if found["macro_f1_drop"]:
        drop = found["macro_f1_drop"]
        low, high = (100 * bound for bound in drop["ci95"])
        value = f"{100 * drop['value']:+.1f} points, {float_stage(stages)} to akida"
        lines.append(("F1 drop", f"{value} (95 % {low:+.1f} to {high:+.1f})"))
    if found["damage"]:
        lines.append(("damage", _damage(found["damage"])))
    if mapping["advice"]:
        lines.append(("mapping", mapping["advice"][0]))
    return lines


def _stage_table(report: Mapping[str, Any]) -> Table:
    target = f" on {report['conversion']['target']}" if report["conversion"] else ""
    table = Table(title=f"{report['run']['name']}{target}", title_justify="left", title_style="bold")
    table.add_column("stage")
    table.add_column("accuracy", justify="right")
    table.add_column("macro F1", justify="right")
    for stage, scores in report["stages"].items():
        table.add_row(stage, _percent(scores["accuracy"]), _percent(scores["macro_f1"]))
    return table


def _split(data: Mapping[str, Any]) -> str:
    """How far the scores above can be believed: what the sides of the split share."""
    split, near = data["split"], data["audit"]["near_duplicates"]
    fold = "" if split["folds"] is None else f", fold {split['fold']} of {split['folds']}"
    leaked = f"{split['leaked_groups']} leaked groups" if split["group_key"] else "groups not known"
    line = f"by {split['protocol']}{fold}: {leaked}, {near} near-duplicate pairs"
    siblings = split["siblings"]["test"]
    if siblings or (split["protocol"] == "image" and split["group_key"]):
        line += f"; {siblings} of {data['sizes']['test']} test images have a sibling in training"
    return line


def _damage(found: Mapping[str, Any]) -> str:
    """The class that lost most recall (of equals the rarest), and how many images change class."""
    present = [(name, row) for name, row in found["per_class"].items() if row["recall_change"]]
    name, row = min(present, key=lambda item: item[1]["recall_change"]["value"])
    change, flips = row["recall_change"], found["flips"]
    value, low, high = (100 * share for share in (change["value"], *change["ci95"]))
    few = f", of {row['groups']} groups only" if row["few"] else ""
    return (
        f"worst class {name}: recall {value:+.1f} points (95 % {low:+.1f} to {high:+.1f}{few});"
        f" {sum(flips.values())} of {found['images']} test images flip, {flips['lost']} of them to wrong"
    )


def _spiking(found: Mapping[str, Any]) -> str:
    drop = found["macro_f1_drop"]
    low, high = (100 * bound for bound in drop["ci95"])
    return (
        f"{found['time_steps']} time steps: macro F1 drop {100 * drop['value']:+.1f} points"
        f" (95 % {low:+.1f} to {high:+.1f}), {_percent(found['agreement'])} of test images as float;"
        f" {found['spikes_per_neuron']:.3g} spikes per neuron and {found['synops']:.3g} synaptic operations"
        " per image"
    )


def _external(found: Mapping[str, Any]) -> str:
    stage, scores = list(found["stages"].items())[-1]
    absent = f" over {len(found['class_counts']) - len(found['absent_classes'])} classes"
    return (
        f"{found['name']}, {found['size']} images: accuracy {_percent(scores['accuracy'])}, macro F1"
        f" {_percent(scores['macro_f1'])}{absent if found['absent_classes'] else ''} at {stage};"
        f" {found['audit']['near_duplicates']} near-duplicates of training images"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _estimate(estimate: Mapping[str, Any], unit: str) -> str:
    low, high = estimate["low"], estimate["high"]
    return f"{estimate['value']:.3g} {unit} per image, {estimate['provenance']} ({low:.3g} to {high:.3g})"
