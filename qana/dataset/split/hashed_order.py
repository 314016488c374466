"""Puts groups into an order that looks random and is the same on every machine.

A random generator's stream may change with its library; SHA-256 of a name does not.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping


def hashed(*key: str | int) -> bytes:
    """Turn a key into 32 bytes that look random; JSON keeps ("a", "bc") apart from ("ab", "c")."""
    return hashlib.sha256(json.dumps(key).encode("ascii")).digest()


def large_first(sizes: Mapping[str, int], *key: str | int) -> list[str]:
    """Order groups from large to small, and those of one size by their hash under `key`.

    Args:
        sizes: group name to its number of rows.
        key: what the order is for; another key gives another order among groups of one size.
    """
    return sorted(sizes, key=lambda group: (-sizes[group], hashed(*key, group)))
