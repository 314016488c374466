"""The claim ledger: each published number beside what was reproduced, its interval and a verdict."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files

import yaml

from qana.comparison.leaderboard import COSTS, LOWER_IS_BETTER, Row
from qana.comparison.spread import Spread

SHIPPED = "claims.yaml"
QANA_CLASS = "qana.backbone.Qana"
COLUMNS = (
    "claim", "what", "source", "dataset", "published_split", "published", "unit", "group", "name", "target",
    "split_protocol", "runs", "reproduced", "low", "high", "interval", "verdict",
)  # fmt: skip
NOT_ATTEMPTED, NOT_MEASURED = "not attempted", "not measured here"
WITHIN, BETTER, WORSE, NO_INTERVAL = "within the interval", "better", "not reached", "no interval"


@dataclass(frozen=True)
class Claim:
    """One published number; see ``claims.yaml``."""

    id: str
    what: str
    value: float
    unit: str
    arxiv: str
    versions: tuple[int, ...]
    dataset: str
    network: str
    metric: str | None
    split: str

    @property
    def source(self) -> str:
        """``arXiv 2507.15958 v1, v2``."""
        return f"arXiv {self.arxiv} {', '.join(f'v{version}' for version in self.versions)}"


@dataclass(frozen=True)
class Entry:
    """A claim and the group of runs beside it.

    Attributes:
        claim: the published number.
        row: the group; None where there is none on these data with such a network.
        found: its number; None where it has none.
        verdict: see `verdict`.
    """

    claim: Claim
    row: Row | None
    found: Spread | None
    verdict: str


def shipped_claims() -> list[Claim]:
    """The claims of ``claims.yaml``."""
    text = files("qana.comparison").joinpath(SHIPPED).read_text(encoding="utf-8")
    return [
        Claim(**{**entry, "arxiv": str(entry["arxiv"]), "versions": tuple(entry["versions"])})
        for entry in yaml.safe_load(text)
    ]


def ledger(claims: Sequence[Claim], rows: Sequence[Row]) -> list[Entry]:
    """Put every group that a claim is about beside it.

    All of them, and not the best one: choosing by the test score would make the number too good.
    """
    entries = []
    for claim in claims:
        beside = [row for row in rows if _is_about(claim, row)]
        entries += [_entry(claim, row) for row in beside] or [_entry(claim, None)]
    return entries


def verdict(claim: Claim, found: Spread | None, provenance: str) -> str:
    """Say in words how a reproduced number stands to the published one.

    A published value inside the interval is *within the interval*; else ours is *better* or *not reached*.
    What a cost model says is never more than *modelled*.
    """
    if claim.metric is None:
        return NOT_MEASURED
    if found is None:
        return NOT_ATTEMPTED
    if found.low is None or found.high is None:
        return NO_INTERVAL
    said = WITHIN
    if not found.low <= claim.value <= found.high:
        said = BETTER if (found.value > claim.value) != (claim.metric in LOWER_IS_BETTER) else WORSE
    return f"{provenance}: {said}" if provenance else said


def ledger_csv(entries: Iterable[Entry]) -> str:
    """One line per entry with a header; a missing number is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_cells(entry) for entry in entries)
    return text.getvalue()


def _cells(entry: Entry) -> list[object]:
    claim, row, found = entry.claim, entry.row, entry.found
    said = [claim.id, claim.what, claim.source, claim.dataset, claim.split, claim.value, claim.unit]
    group = ["", "", "", "", ""] if row is None else _of_group(row)
    number = ["", "", "", ""] if found is None else [found.value, found.low, found.high, found.method]
    return [*said, *group, *number, entry.verdict]


def _of_group(row: Row) -> list[object]:
    run = row.group.latest
    return [row.group.id, run.name, run.target, run.tags.get("split_protocol", ""), len(row.group.runs)]


def _is_about(claim: Claim, row: Row) -> bool:
    run = row.group.latest
    own = run.params.get("backbone._target_") == QANA_CLASS
    return claim.metric is not None and run.dataset == claim.dataset and own == (claim.network == "qana")


def _entry(claim: Claim, row: Row | None) -> Entry:
    if row is None or claim.metric is None:
        return Entry(claim, None, None, verdict(claim, None, ""))
    found = row.numbers[claim.metric]
    provenance = row.provenance[claim.metric] if claim.metric in COSTS else ""
    return Entry(claim, row, found, verdict(claim, found, provenance))
