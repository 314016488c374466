"""Tells whether the files of a source are still those that a cache was made from."""

from __future__ import annotations

from collections.abc import Sequence

from qana.console import progress
from qana.dataset.pixels.blocks import in_order
from qana.dataset.pixels.manifest import CacheRejectedError, FileRecord
from qana.dataset.pixels.pixels import FileStamp, file_sha256
from qana.errors import listed

NAMES_SHOWN = 3


def refreshed_records(
    stamps: Sequence[FileStamp], records: Sequence[FileRecord], *, label: str
) -> tuple[FileRecord, ...]:
    """The records with the times of now; files whose time has changed are read again and compared.

    A file that keeps its size and its time is taken as unchanged, as make and rsync do.

    Raises:
        CacheRejectedError: a file has another content.
    """
    same_files = [(stamp.name, stamp.size) for stamp in stamps] == [(old.name, old.size) for old in records]
    if not same_files:
        raise CacheRejectedError("it lists other files")
    pairs = zip(stamps, records, strict=True)
    touched = [(stamp, old) for stamp, old in pairs if stamp.mtime_ns != old.mtime_ns]
    if touched:
        _require_same_content(touched, label)
    return tuple(
        FileRecord(stamp.name, stamp.size, stamp.mtime_ns, old.sha256)
        for stamp, old in zip(stamps, records, strict=True)
    )


def _require_same_content(touched: Sequence[tuple[FileStamp, FileRecord]], label: str) -> None:
    changed = []
    with progress(f"{label}: check files", total=len(touched)) as advance:
        found = in_order(_content, [stamp for stamp, _ in touched])
        for (stamp, old), sha256 in zip(touched, found, strict=True):
            if sha256 != old.sha256:
                changed.append(stamp.name)
            advance(1)
    if changed:
        raise CacheRejectedError(f"{len(changed)} files have changed: {listed(changed, NAMES_SHOWN)}")


def _content(stamp: FileStamp) -> str:
    try:
        return file_sha256(stamp.path)
    except OSError:
        return ""  # as `Pixels.sha256` has it
