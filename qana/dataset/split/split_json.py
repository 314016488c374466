"""Reads a split written as JSON and checks its structure, not its ids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from qana.errors import QanaError, listed

SCHEMA = 1

SIDES = ("train", "val", "test")
TEXTS = ("source", "fingerprint", "protocol", "group_key", "hash")
INTEGERS = ("folds", "fold", "seed")
KEYS = ("schema", *TEXTS, *INTEGERS, "val_fraction", *SIDES)


def content_of_json(raw: bytes, path: Path) -> dict[str, Any]:
    """Parse a split; everything beside the sides may be left out.

    Args:
        raw: content of the file.
        path: its name, for messages.

    Returns:
        Keys of the file to their values, each of the right type.

    Raises:
        QanaError: not JSON, another schema, unknown keys, missing sides, or values of another type.
    """
    content = _parse(raw, path)
    _check_schema(content, path)
    faults = [f"{key!r} is unknown" for key in content if key not in KEYS]
    faults += [f"{key!r} is missing" for key in SIDES if key not in content]
    faults += [fault for key, value in content.items() if (fault := _fault(key, value))]
    if faults:
        raise _unfit(path, f"is no split: {listed(faults)}", f"an object with the keys {', '.join(KEYS)}")
    return content


def _parse(raw: bytes, path: Path) -> dict[str, Any]:
    try:
        content = json.loads(raw, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:  # ValueError also covers text that is not UTF-8
        raise _unfit(path, f"is not JSON ({error})", "JSON as a run writes it") from error
    if not isinstance(content, dict):
        raise _unfit(path, f"holds a {type(content).__name__}", "an object")
    return content


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key appears twice")
    return content


def _check_schema(content: dict[str, Any], path: Path) -> None:
    schema = content.get("schema", SCHEMA)
    if schema != SCHEMA:
        raise _unfit(path, f"has schema {schema!r}, which this version does not know", f"schema {SCHEMA}")


def _fault(key: str, value: Any) -> str | None:
    if key in SIDES:
        is_list_of_text = isinstance(value, list) and all(isinstance(item, str) for item in value)
        return None if is_list_of_text else f"{key!r} is not a list of image ids"
    if value is None:
        return None
    if key in TEXTS and not isinstance(value, str):
        return f"{key!r} is not text"
    if key in INTEGERS and (isinstance(value, bool) or not isinstance(value, int)):
        return f"{key!r} is not a whole number"
    if key == "val_fraction" and (isinstance(value, bool) or not isinstance(value, int | float)):
        return f"{key!r} is not a number"
    return None


def _unfit(path: Path, what: str, allowed: str) -> QanaError:
    return QanaError(
        f"{path} {what}",
        where=f"dataset.split_file = {path}",
        allowed=allowed,
        fix="restore the split.json of the run, or give a CSV table with the columns image_id and split",
    )
