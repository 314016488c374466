"""What `qana learn` shows on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from qana.console import console
from qana.dataset.splits import Splits
from qana.incremental import Learned


def print_learned(block: Mapping[str, Any]) -> None:
    """A row per session: scores over the classes seen, with 95 % intervals."""
    table = Table(title=f"{block['method']}, {block['protocol']['name']}, {len(block['seeds'])} orders")
    for head in ("session", "images", "classes", "accuracy", "macro F1", "refused", "kept, bytes"):
        table.add_column(head, justify="right")
    for place, session in enumerate(block["sessions"]):
        table.add_row(
            "base" if place == 0 else str(place),
            f"{session['images']:.0f}",
            f"{session['classes_seen']:.3g}",
            _with_interval(session["accuracy"]),
            _with_interval(session["macro_f1"]),
            str(session["refused"]),
            f"{session['stored_bytes']:,.0f}",
        )
    console.print(table)
    console.print(f"{'forgetting':<11}{_with_interval(block['forgetting'])}", highlight=False)


def print_sessions(learned: Learned, splits: Splits) -> None:
    """What each session of each course would show, and whether it would be accepted."""
    for course in learned.courses:
        table = Table(title=f"{learned.method}, seed {course.seed}: nothing is written")
        for head in ("session", "images", "lesions", "new classes", "validation macro F1", "accepted"):
            table.add_column(head)
        for update in course.updates:
            table.add_row(
                update.session.name,
                str(len(update.session.rows)),
                str(update.lesions),
                ", ".join(splits.classes[label] for label in update.session.new_classes) or "none",
                f"{_share(update.val_before)} to {_share(update.val_after)}",
                "yes" if update.accepted else "no, rolled back",
            )
        console.print(table)


def _with_interval(found: Mapping[str, Any]) -> str:
    low, high = found["ci95"]
    return f"{found['value']:.3f} ({low:.3f} to {high:.3f})"


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
