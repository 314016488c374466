"""The files of a cache folder: pixels and facts, written in blocks, checked whenever read."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from qana.dataset.pixels.blocks import Block, Facts, joined
from qana.dataset.pixels.digests import ChunkDigests, stream_digests
from qana.dataset.pixels.manifest import CacheRejectedError, Manifest

IMAGES, FACTS = "images.npy", "facts.npz"


@dataclass(frozen=True)
class Written:
    """What went into a folder, for its manifest."""

    image_digests: tuple[str, ...]
    facts_sha256: str
    problems: dict[int, str]


def write_blocks(folder: Path, blocks: Iterable[Block], shape: Sequence[int]) -> Written:
    """Write all blocks into a folder, holding one at a time.

    The pixels are written, not mapped: on a full disk writing fails with an error, a mapping with a signal.

    Raises:
        OSError: the folder cannot be written.
    """
    digests, problems, facts = ChunkDigests(), {}, []
    with (folder / IMAGES).open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": tuple(shape)}
        npy.write_array_header_1_0(file, header)
        for block in blocks:
            file.write(block.images.data)
            digests.update(block.images)
            problems.update(block.problems)
            facts.append(block.facts)
    return Written(digests.finish(), _write_facts(folder, joined(facts)), problems)


def read_images(folder: Path, manifest: Manifest, shape: Sequence[int]) -> NDArray[np.uint8]:
    """Check every byte of the pixels and map them into memory, read-only.

    Raises:
        CacheRejectedError: they are not as they were written.
    """
    try:
        # The file that is checked is the file that is mapped, even if another process swaps the folder.
        with (folder / IMAGES).open("rb") as file:
            npy.read_magic(file)
            header = npy.read_array_header_1_0(file)
            if header != (tuple(shape), False, np.dtype(np.uint8)):
                raise CacheRejectedError(f"{IMAGES} has shape {header[0]}, not {tuple(shape)}")
            offset = file.tell()
            if stream_digests(file, offset) != manifest.image_digests:
                raise CacheRejectedError(f"{IMAGES} is not as it was written")
            return np.memmap(file, dtype=np.uint8, mode="r", offset=offset, shape=tuple(shape))
    except (OSError, ValueError) as error:
        raise CacheRejectedError(f"{IMAGES} cannot be read ({error})") from error


def read_facts(folder: Path, manifest: Manifest) -> Facts:
    """Check and read the facts.

    Raises:
        CacheRejectedError: they are not as they were written.
    """
    try:
        content = (folder / FACTS).read_bytes()
    except OSError as error:
        raise CacheRejectedError(f"{FACTS} cannot be read ({error})") from error
    if hashlib.sha256(content).hexdigest() != manifest.facts_sha256:
        raise CacheRejectedError(f"{FACTS} is not as it was written")
    with np.load(io.BytesIO(content)) as stored:
        return Facts(stored["perceptual_hash"], stored["tone_ita_deg"])


def _write_facts(folder: Path, facts: Facts) -> str:
    content = io.BytesIO()
    np.savez(content, perceptual_hash=facts.perceptual_hash, tone_ita_deg=facts.tone_ita_deg)
    (folder / FACTS).write_bytes(content.getvalue())
    return hashlib.sha256(content.getvalue()).hexdigest()
