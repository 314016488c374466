"""`qana compare`: tracked runs side by side, with paired tests, the Pareto plot and the ledger of claims."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table as RichTable

from qana.command.options import read_options, require_choice, require_count
from qana.command.outcome import DONE
from qana.console import console
from qana.errors import QanaError

HELP = """\
usage: qana compare [filters] [stage=akida] [sort=macro_f1] [over=seed] [pair=GROUP,GROUP] [out=DIR]

Leaderboard over tracked runs. Runs that differ in their seed alone are one group: its mean with a 95 % t
interval over the runs, or the bootstrap interval of lesions where there is one run. A group's id stays the
same. The store is chosen as for qana run: tracking.root=..., tracking=server.

filters:
  target=akd1000      chip (none: networks without one)
  dataset=ham10000    data
  recipe=NAME         of experiment=NAME
  sweep=ID            runs of one sweep, by the id of its parent run
  status=FINISHED     how they ended; empty (status=) for all
  filter="..."        MLflow's own, such as "metrics.`akida/macro_f1` > 0.5 and params.seed = '0'"

stage=akida      whose scores: float, torch, onnx, keras, quantized_keras or akida
sort=macro_f1    by accuracy, macro_f1, balanced_accuracy, ece, latency_ms or energy_mj, the best first
over=seed        keys that are averaged over; over=seed,dataset.fold takes folds together too
pair=A,B         paired tests of two groups on their stored predictions: McNemar for every pair of runs with
                 the same test images, and the difference in macro F1 with an interval over lesions
                 (samples=10000, seed=0 for its draws)
ledger=yes       the claims of the paper beside the groups on the same data (no: leave it out)
out=DIR          writes leaderboard.csv, ledger.csv, comparison.md and comparison.html (with the Pareto plot)

examples:
  qana compare target=akd1000 dataset=ham10000
  qana compare recipe=ablation out=comparison
  qana compare pair=3f2a91bc,77e0d412
"""
DEFAULTS: Mapping[str, str | None] = {
    "target": None,
    "dataset": None,
    "recipe": None,
    "sweep": None,
    "status": "FINISHED",
    "filter": None,
    "stage": "akida",
    "sort": "macro_f1",
    "over": "seed",
    "pair": None,
    "samples": "10000",
    "seed": "0",
    "ledger": "yes",
    "out": None,
}
STATUSES = ("FINISHED", "FAILED", "KILLED", "RUNNING")


def main(arguments: list[str]) -> int:
    """Compare what `arguments` choose, and return the exit code."""
    if {"-h", "--help"} & set(arguments):
        sys.stdout.write(HELP)
        return DONE
    options, args = read_options("compare", arguments, DEFAULTS)
    _require_sound(options)
    from qana.command.chosen_tracking import chosen_tracking

    return _compare(options, chosen_tracking(args))


def _require_sound(options: Mapping[str, str | None]) -> None:
    from qana.comparison.leaderboard import METRICS
    from qana.evaluation.stages import STAGES

    require_choice("compare", "stage", options["stage"], STAGES)
    require_choice("compare", "sort", options["sort"], METRICS)
    require_choice("compare", "ledger", options["ledger"], ("yes", "no"))
    if options["status"] is not None:
        require_choice("compare", "status", options["status"], STATUSES)
    require_count("compare", "samples", options["samples"], smallest=100)
    require_count("compare", "seed", options["seed"], smallest=0)
    pair = options["pair"]
    if pair is not None and len([part for part in pair.split(",") if part]) != 2:
        raise QanaError(
            f"two groups are compared, not {pair!r}",
            where=f"qana compare pair={pair}",
            allowed="two ids of groups with a comma between them",
            fix="take the ids from the first column of qana compare",
        )


def _compare(options: Mapping[str, str | None], node: Mapping[str, Any]) -> int:
    from hydra.utils import instantiate

    from qana.command.compare_pair import pair_part
    from qana.comparison.groups import grouped
    from qana.comparison.leaderboard import as_csv, leaderboard, splits_differ
    from qana.comparison.ledger import ledger, ledger_csv, shipped_claims
    from qana.comparison.page import Part, as_html, as_markdown
    from qana.comparison.wording import INTERVALS, LEDGER_NOTE, leaderboard_table, ledger_table
    from qana.tracking.found_runs import RunFilter

    tracking = instantiate(node)
    keys = ("status", "target", "dataset", "recipe", "sweep")
    wanted = RunFilter(**{key: options[key] for key in keys}, expression=options["filter"])
    results = tracking.results(wanted)
    groups = grouped(results, (options["over"] or "").split(","))
    rows = leaderboard(groups, stage=str(options["stage"]), sort=str(options["sort"]))
    _require_rows(len(rows), len(results), options)
    notes = [INTERVALS, *_notes(len(results), rows, splits_differ(rows))]
    parts = [Part(leaderboard_table(rows), tuple(notes))]
    if options["pair"] is not None:
        parts.append(pair_part(tracking, groups, options))
    entries = ledger(shipped_claims(), rows) if options["ledger"] == "yes" else []
    if entries:
        parts.append(Part(ledger_table(entries), (LEDGER_NOTE,)))
    _show(parts)
    if options["out"] is not None:
        texts = {"leaderboard.csv": as_csv(rows), "comparison.md": as_markdown(parts)}
        texts |= {"ledger.csv": ledger_csv(entries)} if entries else {}
        _write(Path(options["out"]), {**texts, "comparison.html": as_html(parts, rows)})
    return DONE


def _notes(read: int, rows: Sequence[Any], differing: Sequence[str]) -> list[str]:
    repeats = sum(row.group.repeats for row in rows)
    used = sum(len(row.group.runs) for row in rows)
    notes = [f"{used} of {read} runs that fit the filters are shown"]
    if repeats:
        notes[0] += f"; {repeats} were left out because a later run has the very same config"
    if read - used - repeats:
        notes[0] += f"; {read - used - repeats} have no scores at this stage"
    notes[0] += "."
    if differing:
        notes.append(
            f"On {', '.join(differing)} the groups were tested on different splits: compare them with pair=,"
            " which takes only runs with the same test images."
        )
    return notes


def _require_rows(rows: int, read: int, options: Mapping[str, str | None]) -> None:
    if rows:
        return
    typed = [
        f"{key}={value}" for key, value in options.items() if value is not None and value != DEFAULTS[key]
    ]
    raise QanaError(
        f"no run fits: {read} have the right filters, none of them has scores at stage {options['stage']}",
        where=f"qana compare {' '.join(typed)}".strip(),
        allowed="filters that some finished run fits; stage=torch for networks without a chip",
        fix="leave filters out, or name the store with tracking.root=...",
    )


def _show(parts: Sequence[Any]) -> None:
    for part in parts:
        shown = RichTable(title=part.table.title, box=box.SIMPLE_HEAD, title_justify="left")
        for name in part.table.head:
            shown.add_column(name, overflow="fold")
        for row in part.table.rows:
            shown.add_row(*row)
        console.print(shown, markup=False)
        for note in part.notes:
            console.print(note, markup=False, highlight=False, soft_wrap=True)


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    from qana.evaluation.files import write_text_atomically

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise QanaError(
            f"the folder of the comparison cannot be made: {error.strerror}",
            where=f"out = {folder}",
            allowed="a folder that can be written",
            fix="choose another folder with out=...",
        ) from error
    for name, text in texts.items():
        write_text_atomically(folder / name, text)
    console.print(
        f"written: {', '.join(str(folder / name) for name in texts)}", highlight=False, soft_wrap=True
    )
