"""The inventory of a cache folder: which files went in, and what must lie in it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"


class CacheRejectedError(Exception):
    """A cache folder cannot be used; the text says why, and is empty where there is no folder."""


@dataclass(frozen=True)
class FileRecord:
    """A file as it was when it was decoded; see `FileStamp`. `sha256` is "" where it could not be read."""

    name: str
    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a cache folder holds.

    Attributes:
        files: every file of the source.
        image_digests: SHA-256 (hex) of each chunk of the pixels.
        facts_sha256: SHA-256 (hex) of the file of perceptual hashes and tones.
        problems: row to what is wrong with it.
    """

    files: tuple[FileRecord, ...]
    image_digests: tuple[str, ...]
    facts_sha256: str
    problems: Mapping[int, str]


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write or replace the manifest of a folder, in one step.

    Raises:
        OSError: the folder cannot be written.
    """
    body = {
        # A list per file, not an object: the names of the fields would be a third of the text.
        "files": [astuple(record) for record in manifest.files],
        "image_digests": manifest.image_digests,
        "facts_sha256": manifest.facts_sha256,
        "problems": {str(row): reason for row, reason in manifest.problems.items()},
    }
    text = json.dumps({"sha256": _digest(body), "manifest": body})
    half = folder / f"{MANIFEST}.half"
    half.write_text(text, encoding="utf-8")
    os.replace(half, folder / MANIFEST)


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a folder.

    Raises:
        CacheRejectedError: there is none, or it is not as it was written.
    """
    try:
        parsed = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        body = parsed["manifest"]
        intact = parsed["sha256"] == _digest(body)
    except (FileNotFoundError, NotADirectoryError):
        raise CacheRejectedError("it has no manifest" if folder.is_dir() else "") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CacheRejectedError(f"its manifest cannot be read ({error})") from error
    if not intact:
        raise CacheRejectedError("its manifest has been edited")
    return Manifest(
        files=tuple(FileRecord(*record) for record in body["files"]),
        image_digests=tuple(body["image_digests"]),
        facts_sha256=body["facts_sha256"],
        problems={int(row): reason for row, reason in body["problems"].items()},
    )


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
