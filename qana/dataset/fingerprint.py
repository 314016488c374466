"""Names the exact content of a source, so that two runs can tell whether they saw the same data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from qana.dataset.splits import ImageSet


def fingerprint(source: ImageSet) -> str:
    """SHA-256 (hex) over images, target, image ids and lesion ids, in the order they are held."""
    digest = hashlib.sha256()
    for part in _parts(source):
        # The length in front keeps ("ab", "c") and ("a", "bc") apart.
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def _parts(source: ImageSet) -> Iterator[bytes | memoryview]:
    yield str(source.images.shape).encode()
    # Byte order is fixed, so that the machine does not matter.
    yield np.ascontiguousarray(source.images).data.cast("B")
    yield source.target.astype("<i8").tobytes()
    yield from (name.encode() for name in (*source.image_ids, *source.lesion_ids))
