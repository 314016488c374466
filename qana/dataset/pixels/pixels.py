"""Where the images of a source come from: what every kind of file offers to the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qana.dataset.pixels.preprocessing import Preprocessing

READ_BYTES = 1 << 20


@dataclass(frozen=True)
class FileStamp:
    """What tells cheaply whether a file is still the one that was read.

    Attributes:
        name: relative to the root, with forward slashes; for a file whose rows are chosen, the choice too.
        path: where the file lies.
        size: bytes; -1 where there is no such file.
        mtime_ns: time of the last change, ns since 1970; -1 where there is no such file.
    """

    name: str
    path: Path
    size: int
    mtime_ns: int


class Pixels(Protocol):
    """N images in files. Equal `files()` and equal length mean the same images in the same order."""

    def __len__(self) -> int: ...

    def files(self) -> Sequence[FileStamp]:
        """Stamp every file now: one per image in row order, or one file that holds all images."""
        ...

    def sha256(self, file: int) -> str:
        """SHA-256 (hex) of the very content that `decode` read from ``files()[file]``; "" if unreadable."""
        ...

    def decode(
        self, rows: NDArray[np.int64], out: NDArray[np.uint8], preprocessing: Preprocessing
    ) -> dict[int, str]:
        """Fill `out` with these rows; several threads may call this at once, with different rows.

        Args:
            rows: (R,) row numbers, 0 to N - 1.
            out: (R, S, S, 3), zeros; rows that cannot be read stay zero.
            preprocessing: crop, resize and colour handling.

        Returns:
            Row number to what is wrong with it, for the rows that cannot be read.
        """
        ...


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file, read piece by piece.

    Raises:
        OSError: the file cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(READ_BYTES):
            digest.update(piece)
    return digest.hexdigest()
