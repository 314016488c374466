"""How tables are kept: NAME.csv for programs, NAME.md for readers."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

Report = Mapping[str, Any]


def reports_below(folders: Sequence[Path]) -> Iterator[tuple[Path, Report]]:
    """Every report in these folders or below them, with its path."""
    for folder in folders:
        for path in sorted(folder.rglob("report.json")):
            yield path, json.loads(path.read_text())


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows with the same keys, which are the columns; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def markdown(head: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    """The lines of a Markdown table."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join(lines) + "\n"
