"""Decodes all rows of a source on several threads and hands them on in order, a block at a time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from qana.console import progress
from qana.dataset.audit.image_tone import image_tone_ita_deg
from qana.dataset.audit.perceptual_hash import perceptual_hash
from qana.dataset.pixels.pixels import Pixels
from qana.dataset.pixels.preprocessing import Preprocessing

ROWS_PER_BLOCK = 32  # few enough for a lively bar, many enough that handing out blocks costs nothing
# Blocks being decoded or waiting to be taken, per thread: bounds the memory where the disk is slow.
BLOCKS_PER_THREAD = 3

Rows = NDArray[np.int64]
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Facts:
    """What is derived from the pixels of some rows; see `Decoded`."""

    perceptual_hash: NDArray[np.uint64]
    tone_ita_deg: NDArray[np.float32]


@dataclass(frozen=True)
class Block:
    """Some rows, decoded; see `Decoded`."""

    images: NDArray[np.uint8]
    problems: dict[int, str]
    facts: Facts


def decoded_blocks(
    pixels: Pixels, preprocessing: Preprocessing, *, label: str
) -> Generator[Block, None, None]:
    """Yield all rows in order, and show a bar that is called `label`."""

    def decode(rows: Rows) -> Block:
        images, problems = _decode(pixels, rows, preprocessing)
        return Block(images, problems, Facts(perceptual_hash(images), image_tone_ita_deg(images)))

    with progress(label, total=len(pixels)) as advance:
        for block in in_order(decode, _in_blocks(np.arange(len(pixels)))):
            yield block
            advance(len(block.images))


def problems_of(pixels: Pixels, rows: Sequence[int], preprocessing: Preprocessing) -> dict[int, str]:
    """Decode these rows for nothing but what is wrong with them."""

    def find(some: Rows) -> dict[int, str]:
        return _decode(pixels, some, preprocessing)[1]

    found: dict[int, str] = {}
    for problems in in_order(find, _in_blocks(np.array(rows, dtype=np.int64))):
        found.update(problems)
    return found


def joined(facts: Sequence[Facts]) -> Facts:
    """The facts of several blocks as one."""
    return Facts(
        np.concatenate([np.empty(0, np.uint64), *(some.perceptual_hash for some in facts)]),
        np.concatenate([np.empty(0, np.float32), *(some.tone_ita_deg for some in facts)]),
    )


def in_order(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Do `work` on threads and yield its results in order, never far ahead of whoever takes them."""
    # Pillow and hashlib give up the interpreter lock while they work.
    threads = os.cpu_count() or 1
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) == threads * BLOCKS_PER_THREAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _decode(
    pixels: Pixels, rows: Rows, preprocessing: Preprocessing
) -> tuple[NDArray[np.uint8], dict[int, str]]:
    size = preprocessing.image_size
    images = np.zeros((len(rows), size, size, 3), dtype=np.uint8)
    try:
        return images, pixels.decode(rows, images, preprocessing)
    # The file of several rows cannot be read: their fault, not that of the folder they are kept in.
    except OSError as error:
        images[:] = 0
        return images, dict.fromkeys(rows.tolist(), error.strerror or str(error))


def _in_blocks(rows: Rows) -> list[Rows]:
    return [rows[first : first + ROWS_PER_BLOCK] for first in range(0, len(rows), ROWS_PER_BLOCK)]
