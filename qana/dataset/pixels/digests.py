"""SHA-256 over pixels in chunks, so that several threads can check them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

CHUNK_BYTES = 8 << 20
CHECKING_THREADS = 2


class ChunkDigests:
    """SHA-256 (hex) of every `CHUNK_BYTES` of a stream of pixels; the last chunk may be shorter."""

    def __init__(self) -> None:
        self._finished: list[str] = []
        self._open, self._room = hashlib.sha256(), CHUNK_BYTES

    def update(self, pixels: NDArray[np.uint8]) -> None:
        """Go on with these pixels, (..., 3), contiguous."""
        rest = pixels.data.cast("B")
        while len(rest):
            piece, rest = rest[: self._room], rest[self._room :]
            self._open.update(piece)
            self._room -= len(piece)
            if self._room == 0:
                self._finished.append(self._open.hexdigest())
                self._open, self._room = hashlib.sha256(), CHUNK_BYTES

    def finish(self) -> tuple[str, ...]:
        """The digests of all chunks."""
        begun = self._room < CHUNK_BYTES
        return (*self._finished, self._open.hexdigest()) if begun else tuple(self._finished)


def stream_digests(file: BinaryIO, offset: int) -> tuple[str, ...]:
    """The chunk digests of the pixels that start `offset` bytes into an open file.

    Raises:
        OSError: the file cannot be read.
    """
    size = file.seek(0, os.SEEK_END)
    one_at_a_time = Lock()

    def digest(start: int) -> str:
        with one_at_a_time:
            file.seek(start)
            chunk = file.read(CHUNK_BYTES)
        return hashlib.sha256(chunk).hexdigest()

    with ThreadPoolExecutor(CHECKING_THREADS) as pool:
        return tuple(pool.map(digest, range(offset, size, CHUNK_BYTES)))


def whole_digest(chunks: Sequence[str]) -> str:
    """One SHA-256 (hex) for all chunks."""
    return hashlib.sha256("".join(chunks).encode()).hexdigest()
