"""A comparison as Markdown, and as one page without external resources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from qana.comparison.leaderboard import Row
from qana.comparison.spread import Spread
from qana.comparison.wording import Table
from qana.evaluation.page.markup import section, table, tag, text
from qana.evaluation.page.pareto_chart import Point, pareto_chart

PARETO_LEAD = (
    "Up is better, left is cheaper; the line joins the networks that no other beats at both. Energies are"
    " modelled or measured as the leaderboard says."
)


@dataclass(frozen=True)
class Part:
    """A table and the sentences below it."""

    table: Table
    notes: tuple[str, ...]


def as_markdown(parts: Sequence[Part]) -> str:
    """The tables one below the other."""
    return "\n".join(_markdown(part) for part in parts)


def _markdown(part: Part) -> str:
    lines = [f"## {part.table.title}", "", _line(part.table.head), _line(["---"] * len(part.table.head))]
    lines += [_line(row) for row in part.table.rows]
    return "\n".join([*lines, "", *(f"{note}\n" for note in part.notes)])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def as_html(parts: Sequence[Part], rows: Sequence[Row]) -> str:
    """The tables with the Pareto plot behind the first.

    Args:
        parts: the leaderboard first.
        rows: of the leaderboard, for the plot.
    """
    style = files("qana.evaluation.page").joinpath("style.css").read_text(encoding="utf-8")
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>Comparison | QANA</title><style>{style}</style>"
    )
    points = points_of(rows)
    plot = pareto_chart(points) if points else ""
    first, *others = [_html(part) for part in parts]
    body = [tag("header", tag("h1", "Runs compared")), first]
    body += [section("Macro F1 against energy", plot, PARETO_LEAD)] if plot else []
    page = tag("head", head) + tag("body", tag("main", "".join([*body, *others])))
    return f"<!doctype html>\n{tag('html', page, lang='en')}\n"


def points_of(rows: Sequence[Row]) -> list[Point]:
    """The groups that have both a macro F1 and an energy, with their intervals where they have one."""
    return [
        _point(row, energy, score)
        for row in rows
        if (score := row.numbers["macro_f1"]) and (energy := row.numbers["energy_mj"]) and energy.value > 0
    ]


def _point(row: Row, energy: Spread, score: Spread) -> Point:
    cheapest = energy.low if energy.low is not None and energy.low > 0 else energy.value
    return Point(
        name=f"{row.group.latest.name} ({row.group.id})",
        energy_mj=energy.value,
        energy_low_mj=cheapest,
        energy_high_mj=energy.value if energy.high is None else energy.high,
        score=score.value,
        score_low=score.value if score.low is None else score.low,
        score_high=score.value if score.high is None else score.high,
        provenance=row.provenance["energy_mj"],
    )


def _html(part: Part) -> str:
    cells = [[text(cell) for cell in row] for row in part.table.rows]
    made = table([text(name) for name in part.table.head], cells, caption="", numeric_from=99)
    return section(part.table.title.capitalize(), made + "".join(tag("p", text(note)) for note in part.notes))
