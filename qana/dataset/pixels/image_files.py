"""One image file per row: reads, decodes and fingerprints them."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qana.dataset.pixels.decode import UndecodableError, decode
from qana.dataset.pixels.pixels import FileStamp
from qana.dataset.pixels.preprocessing import Preprocessing


class ImageFiles:
    """Image files below a folder, one per row; see `Pixels`.

    Args:
        root: the folder; the names of the files are relative to it.
        paths: N files, in row order.
    """

    def __init__(self, root: Path, paths: Sequence[Path]) -> None:
        self.root, self.paths = root, tuple(paths)
        self._sha256 = [""] * len(self.paths)

    def __len__(self) -> int:
        return len(self.paths)

    def files(self) -> list[FileStamp]:
        # Strings, not Path methods: these take a large part of a second for 10,000 files.
        root = os.path.join(self.root, "")
        return [_stamp(path, root) for path in self.paths]

    def sha256(self, file: int) -> str:
        return self._sha256[file]

    def decode(
        self, rows: NDArray[np.int64], out: NDArray[np.uint8], preprocessing: Preprocessing
    ) -> dict[int, str]:
        problems = {}
        for row, image in zip(rows.tolist(), out, strict=True):
            try:
                image[:] = decode(self._read(row), preprocessing)
            except UndecodableError as error:
                problems[row] = str(error)
        return problems

    def _read(self, row: int) -> bytes:
        self._sha256[row] = ""
        try:
            content = self.paths[row].read_bytes()
        except OSError as error:
            raise UndecodableError(error.strerror or str(error)) from error
        self._sha256[row] = hashlib.sha256(content).hexdigest()
        return content


def _stamp(path: Path, root: str) -> FileStamp:
    text = os.fspath(path)
    name = text[len(root) :] if text.startswith(root) else os.path.relpath(text, root)
    name = name.replace(os.sep, "/")
    try:
        status = os.stat(text)
    except OSError:
        return FileStamp(name, path, -1, -1)  # decoding will say why
    size = status.st_size if stat.S_ISREG(status.st_mode) else -1
    return FileStamp(name, path, size, status.st_mtime_ns)
