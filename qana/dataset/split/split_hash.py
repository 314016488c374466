"""The name of a partition: one hash over who is on which side."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable


def split_hash(train: Iterable[str], val: Iterable[str], test: Iterable[str]) -> str:
    """Name a partition by its content alone: equal for equal sides, whatever the order or how it came about.

    Args:
        train: ids of the images that train.
        val: ids of the images that validate.
        test: ids of the images that test.

    Returns:
        SHA-256 as 64 hex digits.
    """
    sides = {"train": sorted(train), "val": sorted(val), "test": sorted(test)}
    content = json.dumps(sides, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode("ascii")).hexdigest()
