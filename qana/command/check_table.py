"""What `qana check` says on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from qana.backbone.complexity import peak_activation_bytes
from qana.command.check_jobs import Verdict
from qana.console import console
from qana.conversion.capabilities import Offence
from qana.conversion.dry_run import DryRun

FORMS = {
    "separable": "Akida v1 runs one layer after another: ghost modules are fused into separable convolutions",
    "concat": "Akida v2 joins branches: ghost modules are two branches and a concatenation",
}
ATTENTION = {
    "folded": "no Akida multiplies two tensors: gates end as constants in the convolutions and cost nothing",
    "gated": "gates stay data-dependent, in float only: no Akida multiplies two tensors",
    "additive": "x + g(x) through the Add of Akida v2, data-dependent on the chip; transitions are folded",
}
COLUMNS = ("target", "form", "bits", "layers", "parameters", "MACs", "NPs", "passes", "program")


def print_verdicts(verdicts: Sequence[Verdict]) -> None:
    """Print a table of what fits, every offence of what does not, then what may still go wrong.

    Args:
        verdicts: at least one; several make one row each.
    """
    if len(verdicts) > 1:
        console.print(_sweep_table(verdicts))
    for verdict in verdicts:
        if not verdict.passed:
            console.print(_offence_table(verdict))
        elif len(verdicts) == 1:
            console.print(_fact_table(verdict))
            console.print(_network_table(verdict))
            if verdict.dry_run is not None:
                console.print(_layer_table(verdict.dry_run))
    for verdict in verdicts:
        for line in notes(verdict):
            console.print(Text(line), style="yellow")


def _fact_table(verdict: Verdict) -> Table:
    table = Table(title=_title(verdict), title_justify="left", title_style="bold", show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for name, value in facts(verdict):
        table.add_row(name, Text(value))
    return table


def facts(verdict: Verdict) -> list[tuple[str, str]]:
    """Name and value of everything worth knowing about a network that passed."""
    height, width, channels = verdict.image_shape
    why = FORMS.get(verdict.form)
    lines = [
        ("target", f"{verdict.target}, {verdict.device}" if verdict.device else verdict.target),
        ("form", f"{verdict.form} ({why})" if why else verdict.form),
        *_attention(verdict),
        ("bits", verdict.bits),
        ("images", f"{height} x {width} x {channels}"),
        ("parameters", _count(verdict.parameters)),
        ("MACs", _count(verdict.macs)),
        ("memory", f"at most {peak_activation_bytes(verdict.layers):,} bytes of activations at once"),
    ]
    if verdict.dry_run is None:
        return [*lines, ("program", "none: no chip was chosen, so nothing was converted")]
    return [*lines, *_program_facts(verdict.dry_run)]


def _attention(verdict: Verdict) -> list[tuple[str, str]]:
    form = verdict.attention_form
    return [("attention", f"{form} ({ATTENTION[form]})")] if form else []


def _network_table(verdict: Verdict) -> Table:
    table = Table(title="layers of the network", title_justify="left", title_style="bold")
    for column in ("module", "kind", "output"):
        table.add_column(column, overflow="fold")
    for column in ("parameters", "MACs", "activation bytes"):
        table.add_column(column, justify="right")
    for layer in verdict.layers:
        output = " x ".join(str(size) for size in layer.output_shape)
        costs = (layer.parameters, layer.macs, layer.activation_bytes)
        table.add_row(layer.module, layer.kind, output, *map(_count, costs))
    return table


def _program_facts(tried: DryRun) -> list[tuple[str, str]]:
    mapping = tried.mapping
    available = "" if mapping.nps_available is None else f" of {mapping.nps_available}"
    weighted = sum(layer.weight_bytes > 0 for layer in tried.layers)
    lines = [
        ("layers", f"{len(tried.layers)}, {weighted} of them with weights"),
        ("NPs", f"{mapping.nps}{available}"),
        ("passes", str(mapping.passes)),
        ("program", f"{mapping.program_bytes:,} bytes{', hardware only' if mapping.hardware_only else ''}"),
    ]
    if mapping.sram_bytes is not None:
        lines.append(("SRAM", f"{mapping.sram_bytes:,} bytes"))
    if mapping.external_memory_bytes is not None:
        lines.append(("external", f"{mapping.external_memory_bytes:,} bytes"))
    answers = f"every layer gives the integers of torch on {tried.images} drawn images, untrained"
    return [*lines, ("answers", answers)]


def _layer_table(tried: DryRun) -> Table:
    table = Table(title="layers of the program", title_justify="left", title_style="bold")
    for column in ("layer", "module", "kind", "output"):
        table.add_column(column, overflow="fold")
    for column in ("MACs", "NPs"):
        table.add_column(column, justify="right")
    for layer in tried.layers:
        output = " x ".join(str(size) for size in layer.output_shape)
        module = tried.modules.get(layer.name, "")
        table.add_row(layer.name, module, layer.kind, output, _count(layer.macs), str(layer.nps))
    return table


def _sweep_table(verdicts: Sequence[Verdict]) -> Table:
    table = Table(title="qana check", title_justify="left", title_style="bold")
    table.add_column("job", overflow="fold")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in COLUMNS[:3] else "right")
    table.add_column("verdict")
    for verdict in verdicts:
        table.add_row(verdict.overrides, *_row(verdict), _outcome(verdict))
    return table


def _row(verdict: Verdict) -> list[str]:
    fixed = [verdict.target, verdict.form, verdict.bits]
    tried = verdict.dry_run
    size = [_count(verdict.parameters), _count(verdict.macs)]
    if tried is None:
        return [*fixed, "", *size, "", "", ""]
    mapping = tried.mapping
    program = [str(mapping.nps), str(mapping.passes), f"{mapping.program_bytes:,}"]
    return [*fixed, str(len(tried.layers)), *size, *program]


def _offence_table(verdict: Verdict) -> Table:
    table = Table(title=_title(verdict), title_justify="left", title_style="bold", show_lines=True)
    table.add_column("where", style="bold", overflow="fold", max_width=28)
    table.add_column("offence")
    for offence in verdict.offences:
        table.add_row(Text(offence.module), _details(offence))
    return table


def _details(offence: Offence) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name in ("found", "allowed", "rewrite"):
        grid.add_row(name, Text(getattr(offence, name)))
    return grid


def _title(verdict: Verdict) -> str:
    job = verdict.overrides or verdict.name
    return f"{job}: {_outcome(verdict)}"


def _outcome(verdict: Verdict) -> str:
    if verdict.crashed:
        return f"the SDK broke on it, so whether {verdict.target} runs it is not known"
    if verdict.passed:
        return f"{verdict.target} runs it" if verdict.device else "nothing to convert"
    count = len(verdict.offences)
    return f"{verdict.target} does not run it, {count} offence{'' if count == 1 else 's'}"


def notes(verdict: Verdict) -> list[str]:
    """What may still go wrong with a network that passed, and what would make it smaller."""
    start = f"{verdict.overrides}: " if verdict.overrides else ""
    lines = [
        f"once trained, {risk.module} may be refused: {risk.found} (allowed: {risk.allowed}; {risk.rewrite})"
        for risk in verdict.risks
    ]
    if verdict.dry_run is not None:
        lines += verdict.dry_run.mapping.advice
    return [start + line for line in lines]


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"
