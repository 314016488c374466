"""Finds all pairs of hashes that differ in few bits, in any of the eight symmetries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qana.dataset.audit.perceptual_hash import hash_symmetries
from qana.dataset.audit.symmetries import SYMMETRIES

HASHES_AT_ONCE = 1 << 19  # 4 MiB of differences: fits the cache of a core, bounds the memory
CANDIDATES_AT_ONCE = 1024  # handed on together, so that their images are read and compared together


class Candidates(NamedTuple):
    """K pairs that may be copies, each (K,): which two, how `first` has to be moved, how many bits differ."""

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    symmetry: NDArray[np.intp]
    hamming: NDArray[np.uint8]


def near_hashes(
    first: NDArray[np.uint64], second: NDArray[np.uint64], *, max_hamming: int
) -> Iterator[Candidates]:
    """Yield every pair and symmetry with at most `max_hamming` different bits, some at a time.

    Compares all with all by XOR and population count: 2,000 with 8,000 hashes in eight symmetries take 0.4 s.
    A pair comes once per symmetry that fits, always within one yield. Blank images (hash 0) are left out:
    nothing in them could be recognised, and each would be a copy of every other.

    Args:
        first: (N,) hashes; the symmetries are taken of these, so the smaller side is faster.
        second: (M,) hashes.
        max_hamming: 0 to 64 bits.
    """
    rows, columns = np.flatnonzero(first), np.flatnonzero(second)
    found: list[Candidates] = []
    for block in _blocks(first[rows], second[columns], max_hamming):
        found.append(block._replace(first=rows[block.first], second=columns[block.second]))
        if sum(len(block.first) for block in found) >= CANDIDATES_AT_ONCE:
            yield _joined(found)
            found.clear()
    if found:
        yield _joined(found)


def _blocks(first: NDArray[np.uint64], second: NDArray[np.uint64], max_hamming: int) -> Iterator[Candidates]:
    if not len(first) or not len(second):
        return
    moved = hash_symmetries(first).T  # (N, 8)
    step = max(1, HASHES_AT_ONCE // (len(SYMMETRIES) * len(second)))
    for start in range(0, len(first), step):
        hamming = np.bitwise_count(moved[start : start + step, :, None] ^ second)  # (step, 8, M)
        row, symmetry, column = np.unravel_index(np.flatnonzero(hamming <= max_hamming), hamming.shape)
        yield Candidates(start + row, column, symmetry, hamming[row, symmetry, column])


def _joined(blocks: list[Candidates]) -> Candidates:
    return Candidates(*(np.concatenate(parts) for parts in zip(*blocks, strict=True)))
