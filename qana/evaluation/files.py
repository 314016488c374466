"""Writes a file so that readers see the old one or the whole new one."""

from __future__ import annotations

import os
from pathlib import Path


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Write beside `path`, then rename, so that an interrupted run leaves nothing half-written."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    os.replace(partial, path)


def write_text_atomically(path: Path, text: str) -> None:
    """As `write_bytes_atomically`, in UTF-8."""
    write_bytes_atomically(path, text.encode())
