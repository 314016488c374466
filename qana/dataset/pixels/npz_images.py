"""Images that lie in one npz file: reads them in passing, without ever holding all of them."""

from __future__ import annotations

import os
import threading
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from PIL import Image

from qana.dataset.pixels.pixels import FileStamp, file_sha256
from qana.dataset.pixels.preprocessing import Preprocessing

# The threads that decode ask almost in order; what they have yet to ask for is kept until then.
KEPT_BYTES = 256 << 20
BLOCK_ROWS = 32
# The last is raised by archives that are encrypted, or compressed in a way that Python does not know.
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError)

Place = tuple[str, int]  # array name, row in that array


class NpzImages:
    """Rows of the arrays of an npz file, (M, S, S, 3) uint8 each; see `Pixels`.

    Args:
        root: folder of the source.
        path: the npz file, below it.
        places: N rows, in row order: the array and the row in it.
        choice: names the rows that were chosen; "" for all of them.
    """

    def __init__(self, root: Path, path: Path, places: Sequence[Place], *, choice: str) -> None:
        self.root, self.path, self.places, self.choice = root, path, tuple(places), choice
        self._arrays = _Arrays(path)
        self._sha256 = ""

    def __len__(self) -> int:
        return len(self.places)

    def files(self) -> list[FileStamp]:
        name = self.path.relative_to(self.root).as_posix() + (f" ({self.choice})" if self.choice else "")
        try:
            status = os.stat(self.path)
        except OSError:
            return [FileStamp(name, self.path, -1, -1)]
        return [FileStamp(name, self.path, status.st_size, status.st_mtime_ns)]

    def sha256(self, file: int) -> str:
        with suppress(OSError):
            self._sha256 = self._sha256 or file_sha256(self.path)
        return self._sha256

    def decode(
        self, rows: NDArray[np.int64], out: NDArray[np.uint8], preprocessing: Preprocessing
    ) -> dict[int, str]:
        problems = {}
        for row, image in zip(rows.tolist(), out, strict=True):
            try:
                pixels = self._arrays.row(*self.places[row])
                image[:] = preprocessing.apply(Image.fromarray(pixels))
            except DAMAGED as error:
                problems[row] = f"{self.path.name} is damaged: {error or type(error).__name__}"
        return problems


def array_shape(path: Path, name: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of one array of an npz file, without reading the array.

    Raises:
        KeyError: no such array.
        zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError: the file is damaged, or the array is
            not laid out row by row.
    """
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as stream:
        return _header(stream)


class _Arrays:
    """The arrays of one npz file, read forward; several threads may ask."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._blocks: OrderedDict[tuple[str, int], NDArray[np.uint8]] = OrderedDict()
        self._kept_bytes = 0
        self._open: _Reader | None = None
        self._broken: dict[str, tuple[int, str]] = {}

    def row(self, name: str, row: int) -> NDArray[np.uint8]:
        """One image, (S, S, 3).

        Raises:
            BadZipFile, zlib.error, EOFError, OSError, ValueError: the file is damaged there or before.
        """
        block, place = divmod(row, BLOCK_ROWS)
        with self._lock:
            if (name, block) not in self._blocks:
                self._read_up_to(name, block)
            pixels: NDArray[np.uint8] = self._blocks[name, block][place]
            return pixels

    def _read_up_to(self, name: str, block: int) -> None:
        at, reason = self._broken.get(name, (block + 1, ""))
        if block >= at:  # a damaged file is not read from its start again for every row
            raise ValueError(reason)
        if self._open is None or self._open.name != name or self._open.next_block > block:
            self._close()
            self._open = _Reader(self._path, name)
        try:
            while self._open.next_block <= block:
                self._keep((name, self._open.next_block), self._open.read_block())
        except DAMAGED as error:
            self._broken[name] = (self._open.next_block, str(error) or type(error).__name__)
            raise
        if self._open.at_end:
            self._close()

    def _keep(self, key: tuple[str, int], block: NDArray[np.uint8]) -> None:
        self._blocks[key] = block
        self._kept_bytes += block.nbytes
        while self._kept_bytes > KEPT_BYTES and len(self._blocks) > 1:
            _, oldest = self._blocks.popitem(last=False)
            self._kept_bytes -= oldest.nbytes

    def _close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


class _Reader:
    """Reads the blocks of one array in order."""

    def __init__(self, path: Path, name: str) -> None:
        self.name, self.next_block = name, 0
        self._archive = zipfile.ZipFile(path)
        self._stream = self._archive.open(f"{name}.npy")
        self._shape, _ = _header(self._stream)

    @property
    def at_end(self) -> bool:
        return self.next_block * BLOCK_ROWS >= self._shape[0]

    def read_block(self) -> NDArray[np.uint8]:
        rows = min(BLOCK_ROWS, self._shape[0] - self.next_block * BLOCK_ROWS)
        shape = (rows, *self._shape[1:])
        content = self._stream.read(int(np.prod(shape)))
        if len(content) < np.prod(shape):
            raise EOFError(f"{self.name} ends early")
        self.next_block += 1
        return np.frombuffer(content, dtype=np.uint8).reshape(shape)

    def close(self) -> None:
        self._stream.close()
        self._archive.close()


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, column_major, dtype = read(stream)
    if column_major:
        raise ValueError("laid out by columns")
    return tuple(shape), dtype
