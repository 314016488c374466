"""A leaderboard and its companions in words: head and cells, for terminal, Markdown and page alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qana.comparison.leaderboard import Row
from qana.comparison.ledger import Entry
from qana.comparison.paired import PairedTest
from qana.comparison.spread import OVER_SEEDS, Spread

ABSENT = "-"


@dataclass(frozen=True)
class Table:
    """Head, cells and caption of a table; every row is as long as the head."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def leaderboard_table(rows: Sequence[Row]) -> Table:
    """One line per group, as `leaderboard` sorted them."""
    stage = rows[0].stage if rows else ""
    head = (
        "group",
        "name",
        "changes",
        "target",
        "dataset",
        "runs",
        "accuracy %",
        "macro F1 %",
        "latency ms",
        "energy mJ",
    )
    return Table(f"leaderboard, stage {stage}", head, tuple(_leader(row) for row in rows))


def _leader(row: Row) -> tuple[str, ...]:
    group, run = row.group, row.group.latest
    protocol = run.tags.get("split_protocol", "")
    return (
        group.id, run.name, group.changes or ABSENT, run.target,
        f"{run.dataset} by {protocol}" if protocol else run.dataset or ABSENT,
        f"{len(group.runs)}", percent(row.numbers["accuracy"]), percent(row.numbers["macro_f1"]),
        with_provenance(row, "latency_ms"), with_provenance(row, "energy_mj"),
    )  # fmt: skip


def percent(found: Spread | None) -> str:
    """``55.0 [52.1, 57.9]``; an interval over seeds carries a t, that of one run a b."""
    if found is None:
        return ABSENT
    if found.low is None or found.high is None:
        return f"{100 * found.value:.1f}"
    mark = "t" if found.method == OVER_SEEDS else "b"
    return f"{100 * found.value:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]{mark}"


def with_provenance(row: Row, metric: str) -> str:
    """``1.42 [1.05, 1.9] modelled``."""
    found = row.numbers[metric]
    if found is None:
        return ABSENT
    bounds = (
        f" [{found.low:.3g}, {found.high:.3g}]" if found.low is not None and found.high is not None else ""
    )
    return f"{found.value:.3g}{bounds} {row.provenance[metric]}".strip()


def paired_table(test: PairedTest) -> Table:
    """One line per pair of runs."""
    head = (
        "first",
        "second",
        "images",
        "only first right",
        "only second right",
        "McNemar p",
        "Holm p",
        "macro F1, points",
    )
    rows = tuple(
        (
            *pair.names, f"{len(pair.target)}", f"{found.only_first}", f"{found.only_second}",
            f"{found.p_value:.4g}", f"{found.p_adjusted:.4g}", f"{100 * difference:+.2f}",
        )
        for pair, found, difference in zip(test.pairs, test.mcnemar, test.macro_f1, strict=True)
    )  # fmt: skip
    return Table("paired tests, first against second", head, rows)


def paired_sentence(test: PairedTest) -> str:
    """The difference of the two groups in one sentence."""
    low, high = test.ci95
    over = test.over_seeds
    text = (
        f"macro F1, first minus second: {100 * over.value:+.2f} points, 95 % interval"
        f" [{100 * low:+.2f}, {100 * high:+.2f}] over lesions ({test.samples} draws, these runs)"
    )
    if over.low is not None and over.high is not None:
        text += f" and [{100 * over.low:+.2f}, {100 * over.high:+.2f}] over {over.count} pairs (t)"
    return text


def ledger_table(entries: Sequence[Entry]) -> Table:
    """One line per claim and group."""
    head = ("claim", "published", "source", "group", "name", "target", "reproduced", "verdict")
    return Table(
        "claims of the paper beside what was reproduced", head, tuple(_claimed(each) for each in entries)
    )


def _claimed(entry: Entry) -> tuple[str, ...]:
    claim, row = entry.claim, entry.row
    share = claim.unit == "share"
    published = f"{100 * claim.value:.1f} %" if share else f"{claim.value:g} {claim.unit}"
    beside = (ABSENT,) * 3 if row is None else (row.group.id, row.group.latest.name, row.group.latest.target)
    found = ABSENT
    if row is not None and claim.metric is not None:
        found = percent(entry.found) if share else with_provenance(row, claim.metric)
    return (f"{claim.what}, {claim.dataset}", published, claim.source, *beside, found, entry.verdict)


INTERVALS = (
    "b: 95 % bootstrap of lesions for the one run there is; t: 95 % t interval of the mean over runs."
    " Latency and energy: mean of the runs within the bounds of the cost model."
)
LEDGER_NOTE = (
    "The abstract of the paper states neither split, seeds nor intervals. Every group on the same data stands"
    " beside a claim, not the best one; within the interval says that ours does not contradict the"
    " published number."
)
