"""Reads a split made by hand: a table with the columns image_id and split."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from qana.errors import QanaError, listed

COLUMNS = ("image_id", "split")
SIDES = ("train", "val", "test")
DELIMITERS = (",", ";", "\t")  # a spreadsheet writes semicolons where the comma marks decimals


def sides_of_csv(raw: bytes, path: Path) -> dict[str, Any]:
    """Read the image ids of each side; other columns are passed over.

    Args:
        raw: content of the file, UTF-8 with or without a byte order mark.
        path: its name, for messages.

    Returns:
        ``train``, ``val`` and ``test`` to the list of their image ids, in the order of the rows.

    Raises:
        QanaError: not UTF-8, a column missing, or cells that are empty or name another side (all of them).
    """
    text = _decode(raw, path)
    try:
        sides, faults = _read(text, _delimiter(text, path))
    except csv.Error as error:
        raise _unfit(path, f"is not a table ({error})", "one image per line") from error
    if faults:
        allowed = f"an image_id and one of {', '.join(SIDES)} in every row"
        raise _unfit(path, f"has {len(faults)} rows without an image or a side: {listed(faults)}", allowed)
    return sides


def _read(text: str, delimiter: str) -> tuple[dict[str, Any], list[str]]:
    """Image ids of each side, and the rows at fault."""
    reader = csv.DictReader(_lines(text), delimiter=delimiter, strict=True)
    reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
    sides: dict[str, Any] = {name: [] for name in SIDES}
    faults = []
    for row in reader:
        image_id, side = ((row[column] or "").strip() for column in COLUMNS)
        if image_id and side in sides:
            sides[side].append(image_id)
        else:
            faults.append(f"line {reader.line_num} ({image_id or 'no image_id'}, {side or 'no split'})")
    return sides, faults


def _decode(raw: bytes, path: Path) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unfit(path, f"is not UTF-8 text ({error.reason}, byte {error.start})", "UTF-8 text") from error


def _delimiter(text: str, path: Path) -> str:
    for delimiter in DELIMITERS:
        header = next(csv.reader(_lines(text), delimiter=delimiter), [])
        names = [name.strip() for name in header]
        if all(names.count(column) == 1 for column in COLUMNS):
            return delimiter
    allowed = f"one column {' and one column '.join(COLUMNS)}, separated by comma, semicolon or tab"
    raise _unfit(path, f"lacks a column, or has it twice: it starts with {text[:60]!r}", allowed)


def _lines(text: str) -> io.StringIO:
    return io.StringIO(text, newline="")  # the csv module wants line ends as they are


def _unfit(path: Path, what: str, allowed: str) -> QanaError:
    return QanaError(
        f"{path} {what}",
        where=f"dataset.split_file = {path}",
        allowed=allowed,
        fix=f"correct {path}; its first lines are to read: image_id,split / ISIC_0024306,train",
    )
