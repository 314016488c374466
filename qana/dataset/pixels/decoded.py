"""The decoded images of a source, and how to have them without a cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qana.dataset.pixels.blocks import decoded_blocks, joined
from qana.dataset.pixels.digests import ChunkDigests, whole_digest
from qana.dataset.pixels.pixels import Pixels
from qana.dataset.pixels.preprocessing import Preprocessing


@dataclass(frozen=True)
class Decoded:
    """The images of a source, decoded.

    Attributes:
        images: (N, S, S, 3); memory-mapped and read-only where they come from a cache.
        digest: SHA-256 (hex) over the pixels.
        problems: row to what is wrong with it; such rows are zeros.
        perceptual_hash: (N,) uint64; see `qana.dataset.audit`.
        tone_ita_deg: (N,) float32, individual typology angle of the skin, degrees; NaN where none is seen.
    """

    images: NDArray[np.uint8]
    digest: str
    problems: Mapping[int, str]
    perceptual_hash: NDArray[np.uint64]
    tone_ita_deg: NDArray[np.float32]


def decoded_in_memory(pixels: Pixels, preprocessing: Preprocessing, *, label: str) -> Decoded:
    """Decode all images at once, and show a bar that is called `label`."""
    size = preprocessing.image_size
    images = np.empty((len(pixels), size, size, 3), dtype=np.uint8)
    digests, problems, facts = ChunkDigests(), {}, []
    first = 0
    for block in decoded_blocks(pixels, preprocessing, label=label):
        images[first : first + len(block.images)] = block.images
        first += len(block.images)
        digests.update(block.images)
        problems.update(block.problems)
        facts.append(block.facts)
    together = joined(facts)
    digest = whole_digest(digests.finish())
    return Decoded(images, digest, problems, together.perceptual_hash, together.tone_ita_deg)
