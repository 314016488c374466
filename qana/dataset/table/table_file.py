"""Where a table of labels lies, and how messages speak of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from qana.errors import QanaError, listed

PUBLISHED_ENCODING = "utf-8"


@dataclass(frozen=True)
class TableFile:
    """A table of one row per image.

    Attributes:
        path: the file.
        where: config key and value that led to it, such as ``dataset.root = data/ham10000``.
        fix: what to do about bad content, such as fetching the file again.
        encoding: Python's name of the text encoding; ``utf-8`` also takes a byte order mark.
        encoding_key: config key that sets the encoding; None where the encoding is published.
    """

    path: Path
    where: str
    fix: str
    encoding: str = PUBLISHED_ENCODING
    encoding_key: str | None = None

    @property
    def name(self) -> str:
        """File name, for messages."""
        return self.path.name

    def unfit(self, what: str, *, allowed: str) -> QanaError:
        """The error of a table that cannot be used at all."""
        return QanaError(f"{self.name} {what}", where=self.where, allowed=allowed, fix=self.fix)


def find_tables(root: Path, names: Sequence[str]) -> list[Path]:
    """Every file below `root` with one of these names: by order of the names, then nearest first."""
    found = [Path(folder, name) for folder, name in _walk(root) if name in names]
    return sorted(found, key=lambda path: (names.index(path.name), len(path.parts), path.as_posix()))


def one_table(root: Path, names: Sequence[str], *, fix: str) -> TableFile | None:
    """The table with one of these names anywhere below `root`; None without one.

    Exact copies count as one.

    Args:
        root: folder of the source, ``dataset.root``.
        names: file names, the most wanted first.
        fix: what to do about bad content.

    Raises:
        QanaError: several of them, with different content.
    """
    found = find_tables(root, names)
    if not found:
        return None
    contents = {path.read_bytes() for path in found}
    if len(contents) > 1:
        raise QanaError(
            f"there are {len(found)} different tables: {listed([path.relative_to(root) for path in found])}",
            where=f"dataset.root = {root}",
            allowed=f"one of {' or '.join(names)}, or exact copies of it",
            fix="remove the ones that do not belong to the dataset, or give a narrower dataset.root",
        )
    return TableFile(found[0], where=f"dataset.root = {root}", fix=fix)


def require_folder(root: Path, *, content: str, fix: str) -> None:
    """Refuse a root that is missing, no folder, or empty.

    Args:
        root: folder of the source, ``dataset.root``.
        content: what belongs there, for the message.
        fix: where to get it.

    Raises:
        QanaError: there is no such folder, or it holds no file at all.
    """
    if not root.is_dir():
        what = f"there is no folder {root}"
    elif next(_walk(root), None) is None:
        what = f"the folder {root} is empty"
    else:
        return
    raise QanaError(what, where=f"dataset.root = {root}", allowed=content, fix=fix)


def _walk(root: Path) -> Iterator[tuple[str, str]]:
    """Yield (folder, file name); a path is made of those that are wanted, which saves a tenth of a second."""
    # Links to folders are followed, since archives are often kept on another disk; each folder once.
    seen: set[tuple[int, int]] = set()
    for folder, subfolders, files in os.walk(root, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            subfolders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        yield from ((folder, name) for name in files)
