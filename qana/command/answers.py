"""The answers of `qana predict` as a table, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.table import Table

from qana.conversion.model_card import ModelCard


@dataclass(frozen=True)
class Answer:
    """What the program says about one image.

    Attributes:
        image: the file, as found.
        probabilities: class to its share of softmax(logits / temperature).
        predicted: the class of the largest logit.
        confidence: its probability.
        rejected: whether the confidence is below the one asked for.
    """

    image: str
    probabilities: Mapping[str, float]
    predicted: str
    confidence: float
    rejected: bool


def answer_table(answers: Sequence[Answer]) -> Table:
    """One line per image for the terminal."""
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("image", "class", "confidence", "next"):
        table.add_column(name, overflow="fold")
    for answer in answers:
        ordered = sorted(answer.probabilities.items(), key=lambda pair: -pair[1])
        runners = ", ".join(f"{name} {share:.2f}" for name, share in ordered[1:3])
        said = f"rejected ({answer.predicted})" if answer.rejected else answer.predicted
        table.add_row(answer.image, said, f"{answer.confidence:.3f}", runners)
    return table


def json_text(answers: Sequence[Answer], card: ModelCard) -> str:
    """Every answer with the probability of every class; a rejected one has the class null."""
    rows: list[dict[str, Any]] = [
        {
            "image": answer.image,
            "class": None if answer.rejected else answer.predicted,
            "best": answer.predicted,
            "confidence": answer.confidence,
            "rejected": answer.rejected,
            "probabilities": dict(answer.probabilities),
        }
        for answer in answers
    ]
    made = {"run": card.run, "target": card.target, "temperature": card.temperature, "images": rows}
    return json.dumps(made, indent=2) + "\n"


def csv_text(answers: Sequence[Answer], classes: Sequence[str]) -> str:
    """As `json_text`, one line per image; a rejected one has an empty class."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "class", "best", "confidence", "rejected", *classes])
    for answer in answers:
        shares = [answer.probabilities[name] for name in classes]
        said = "" if answer.rejected else answer.predicted
        writer.writerow([answer.image, said, answer.predicted, answer.confidence, answer.rejected, *shares])
    return text.getvalue()
