"""``model.json``: what one has to know beside ``model.fbz`` to ask the program about a photograph."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qana.errors import QanaError, listed

NAME = "model.json"
SCHEMA = 1


@dataclass(frozen=True)
class ModelCard:
    """How to feed a program and how to read its answer.

    Attributes:
        run: id of the run that made it.
        target: chip, such as ``akd1000``.
        classes: names, in the order of the logits.
        preprocessing: arguments of `qana.dataset.pixels.preprocessing.Preprocessing`.
        temperature: logits are divided by it before the softmax; None where it was not fitted.
        calibration: how well confidence fits on the validation images: their number, the expected calibration
            error before and after, and ``coverage``: rows of (confidence, share answered, accuracy of these).
    """

    run: str
    target: str
    classes: tuple[str, ...]
    preprocessing: Mapping[str, Any]
    temperature: float | None
    calibration: Mapping[str, Any]


def write_card(folder: Path, card: ModelCard) -> None:
    """Write ``model.json`` into `folder`."""
    content = {"schema": SCHEMA, **asdict(card)}
    (folder / NAME).write_text(json.dumps(content, indent=2) + "\n")


def read_card(path: Path) -> ModelCard:
    """Read what `write_card` wrote.

    Raises:
        QanaError: the file is missing, damaged, or of another version.
    """
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise _unusable(path, "is missing") from error
    except (OSError, ValueError) as error:
        raise _unusable(path, f"cannot be read: {(str(error).splitlines() or [''])[0]}") from error
    names = list(ModelCard.__dataclass_fields__)
    missing = [name for name in names if name not in content] if isinstance(content, dict) else names
    if missing or content.get("schema") != SCHEMA:
        raise _unusable(path, f"lacks {listed(missing)}" if missing else "is of another version")
    return ModelCard(**{**{name: content[name] for name in names}, "classes": tuple(content["classes"])})


def _unusable(path: Path, what: str) -> QanaError:
    return QanaError(
        f"{path.name} {what}: the classes and the preprocessing of the program are not known",
        where=str(path),
        allowed=f"a program with the {NAME} that its run left beside it",
        fix="name the run instead of the file: qana predict RUN_ID IMAGE...; or convert it again",
    )
