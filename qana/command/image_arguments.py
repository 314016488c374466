"""The image files that a command line names, folders included."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from qana.errors import QanaError, listed

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")


def image_files(names: Sequence[str]) -> list[Path]:
    """Files as they are named, and of each folder every image below it in the order of the names.

    Raises:
        QanaError: names that lead nowhere, or folders without images.
    """
    paths = [Path(name).expanduser() for name in names]
    wrong = [str(path) for path in paths if not path.exists()]
    found = {path: sorted(_images_below(path)) for path in paths if path.is_dir()}
    wrong += [f"{path} (no images in it)" for path, below in found.items() if not below]
    if wrong:
        raise QanaError(
            f"{len(wrong)} of the images cannot be found: {listed(wrong)}",
            where="qana predict MODEL IMAGE...",
            allowed=f"image files, or folders with files that end in {', '.join(SUFFIXES)}",
            fix="correct the paths",
        )
    return [file for path in paths for file in found.get(path, [path])]


def _images_below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
