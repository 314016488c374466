"""Reads a table of labels from text: which encoding, which delimiter, which columns."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence

import pandas as pd

from qana.dataset.table.offenders import Offenders
from qana.dataset.table.table_file import TableFile
from qana.errors import QanaError, listed

DELIMITERS = (",", ";", "\t")


def read_csv(file: TableFile, offenders: Offenders, *, expected: Sequence[str]) -> pd.DataFrame:
    """Read every cell as text, without the spaces around it.

    Comma, semicolon and tab are told apart by the header: the one that yields most of the `expected`
    columns, then most columns. Lines without any content are passed over; missing cells at the end of a line
    are empty cells.

    Args:
        file: the table.
        offenders: told of lines with more cells than the header.
        expected: names that tell the right delimiter; none of them is required.

    Returns:
        One row per line, indexed by the number of the line in the file, counted from 1.

    Raises:
        QanaError: text in another encoding, not a CSV, no header, a column twice, or no rows.
    """
    text = _decode(file)
    lines = _lines(file, text, _delimiter(text, expected))
    header = _header(file, lines)
    numbers, rows, long = [], [], []
    for number, cells in lines:
        if any(cells[len(header) :]):
            long.append(f"line {number} ({len(cells)} cells)")
            continue
        numbers.append(number)
        rows.append((cells + [""] * (len(header) - len(cells)))[: len(header)])
    offenders.found(
        f"lines of {file.name} with more cells than the header",
        long,
        where=file.where,
        allowed=f"{len(header)} cells: {listed(header)}",
        fix=f"put quotes around cells that hold the delimiter, or {file.fix}",
    )
    if not rows:
        raise file.unfit("has no rows", allowed="one row per image")
    return pd.DataFrame(rows, columns=header, index=numbers, dtype=object)


def require_columns(file: TableFile, rows: pd.DataFrame, columns: Sequence[str]) -> None:
    """Refuse a table that lacks one of these columns.

    Raises:
        QanaError: columns are missing, all of them.
    """
    missing = [name for name in columns if name not in rows.columns]
    if missing:
        what = f"lacks the columns {listed(missing)}; it has {listed(list(rows.columns))}"
        raise file.unfit(what, allowed=f"the columns {listed(columns)}")


def require_encoding(encoding: str, *, key: str) -> None:
    """Refuse an encoding that Python does not know.

    Args:
        encoding: name of a codec between bytes and text.
        key: config key that set it.

    Raises:
        QanaError: there is no such text encoding.
    """
    try:
        b"a".decode(encoding, errors="ignore")  # also refuses codecs that make no text, such as base64
    except LookupError as error:
        raise QanaError(
            f"no text encoding is called {encoding!r}",
            where=f"{key} = {encoding}",
            allowed="utf-8, latin-1, cp1252, utf-16, or another text encoding of Python",
            fix=f"for example {key}=utf-8",
        ) from error


def _decode(file: TableFile) -> str:
    raw = file.path.read_bytes()
    utf8 = codecs.lookup(file.encoding).name == "utf-8"
    try:
        text = raw.decode("utf-8-sig" if utf8 else file.encoding)
    except UnicodeDecodeError as error:
        raise _foreign(file, raw, error.start) from error
    if "\x00" in text:  # plain letters in UTF-16 without a byte order mark pass for UTF-8 with zeros between
        raise _foreign(file, raw, raw.index(b"\x00"))
    return text


def _foreign(file: TableFile, raw: bytes, at: int) -> QanaError:
    what = (
        f"{file.name} is not a CSV table in {file.encoding}: byte 0x{raw[at]:02x} at position {at},"
        f" line {raw.count(10, 0, at) + 1}"
    )
    if file.encoding_key is None:
        return QanaError(
            what, where=file.where, allowed="text in UTF-8, with or without byte order mark", fix=file.fix
        )
    utf16 = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\x00" in raw
    likely = "utf-16" if utf16 else "cp1252"
    return QanaError(
        what,
        where=f"{file.encoding_key} = {file.encoding}",
        allowed="the encoding that the table was saved in: utf-8 (with or without byte order mark), cp1252,"
        " latin-1, utf-16, or another text encoding of Python",
        fix=f"{file.encoding_key}={likely}, if that is what {file.path} was saved in; or save it as UTF-8",
    )


def _delimiter(text: str, expected: Sequence[str]) -> str:
    first = next((line for line in text.splitlines() if line.strip()), "")

    def fit(delimiter: str) -> tuple[int, int]:
        names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
        return len(set(names) & set(expected)), len(names)

    return max(DELIMITERS, key=fit)


def _lines(file: TableFile, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of each line that has content."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                yield reader.line_num, stripped
    except csv.Error as error:
        what = f"is not a CSV table (line {reader.line_num}: {error})"
        raise file.unfit(what, allowed="text with comma, semicolon or tab between the cells") from error


def _header(file: TableFile, lines: Iterator[tuple[int, list[str]]]) -> list[str]:
    _, header = next(lines, (0, []))
    if not header:
        raise file.unfit("is not a CSV table (it is empty)", allowed="a header, then one row per image")
    while header and not header[-1]:
        header.pop()
    twice = [name for name, count in Counter(header).items() if name and count > 1]
    if twice:
        raise file.unfit(f"has the columns {listed(twice)} more than once", allowed="each column once")
    return header
