"""Versions of a model that goes on learning: each beside its parent, with the log of what it was shown.

A version counts once the log names it; the log is replaced as a whole, after the model is complete on disk.
So an update that is interrupted anywhere leaves the version before it in force.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

LOG = "updates.json"


class Versions:
    """The versions of one model in one folder.

    Args:
        folder: made where it is not there.
        suffix: of the files, such as ``.fbz``.
    """

    def __init__(self, folder: Path, suffix: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._suffix = folder, suffix

    @property
    def log(self) -> list[dict[str, Any]]:
        """Every update, in order; those that were refused too."""
        path = self._folder / LOG
        return list(json.loads(path.read_text())) if path.exists() else []

    @property
    def current(self) -> Path | None:
        """The version in force; None before the first.

        Raises:
            ValueError: the file is not the one that the log describes.
        """
        accepted = [entry for entry in self.log if entry["accepted"]]
        if not accepted:
            return None
        path = self._folder / accepted[-1]["file"]
        if sha256(path) != accepted[-1]["sha256"]:
            raise ValueError(f"{path} is not the version that {LOG} describes")
        return path

    def add(self, write: Callable[[Path], None], shown: Mapping[str, Any]) -> Path:
        """Write a version and put it in force.

        Args:
            write: writes the whole model to the path that it is given.
            shown: what goes into the log: session, images, labels, scores.

        Returns:
            The new version.
        """
        log, parent = self.log, self.current
        path = self._folder / f"model.v{sum(entry['accepted'] for entry in log):03d}{self._suffix}"
        partial = path.with_name(f".partial{self._suffix}")
        write(partial)
        digest = sha256(partial)
        _flush(partial)
        os.replace(partial, path)
        entry = {
            "accepted": True,
            "file": path.name,
            "sha256": digest,
            "parent": None if parent is None else parent.name,
            **shown,
        }
        self._write_log([*log, entry])
        return path

    def refuse(self, shown: Mapping[str, Any]) -> None:
        """Log an update that was rolled back; the version before it stays in force."""
        parent = self.current
        entry = {"accepted": False, "parent": None if parent is None else parent.name, **shown}
        self._write_log([*self.log, entry])

    def _write_log(self, entries: Sequence[Mapping[str, Any]]) -> None:
        path = self._folder / LOG
        partial = path.with_name(f".{LOG}.partial")
        partial.write_text(json.dumps(list(entries), indent=2) + "\n")
        _flush(partial)
        os.replace(partial, path)


def sha256(path: Path) -> str:
    """SHA-256 of a file, hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
