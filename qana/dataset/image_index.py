"""Finds the JPEG file of every image id, in whatever folders they lie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from qana.errors import QanaError, listed

SUFFIXES = frozenset({".jpg", ".jpeg"})


def find_images(root: Path) -> dict[str, list[Path]]:
    """Walk the folders below `root` once; image id (file name without suffix) to its files, sorted.

    Raises:
        QanaError: there is no JPEG file.
    """
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in SUFFIXES:
            found[path.stem].append(path)
    if not found:
        raise QanaError(
            f"there is no image below {root}",
            where=f"dataset.root = {root}",
            allowed=f"{' or '.join(sorted(SUFFIXES))} files, in any folders below the root",
            fix="unpack the image archives of HAM10000 there, or give another dataset.root",
        )
    return dict(found)


def index_images(root: Path, found: dict[str, list[Path]], image_ids: Sequence[str]) -> list[Path]:
    """Pick the file of each image id, in the order given.

    A public copy of HAM10000 holds every image twice, in two folders; copies of equal size are taken as
    the same file.

    Raises:
        QanaError: images without a file, or with several different ones.
    """
    missing = [image_id for image_id in image_ids if image_id not in found]
    if missing:
        raise QanaError(
            f"{len(missing)} of {len(image_ids)} images of the table have no file: {listed(missing)}",
            where=f"dataset.root = {root}",
            allowed="a file <image_id>.jpg, in any folder below the root, for every row",
            fix="unpack the missing image archives there, or remove these rows from the table",
        )
    different = [image_id for image_id in image_ids if len(_sizes(found[image_id])) > 1]
    if different:
        names = [f"{image_id} ({', '.join(map(str, found[image_id]))})" for image_id in different]
        raise QanaError(
            f"{len(different)} images have several, different files: {listed(names)}",
            where=f"dataset.root = {root}",
            allowed="one file per image, or exact copies",
            fix="remove the files that do not belong to the dataset",
        )
    return [found[image_id][0] for image_id in image_ids]


def _sizes(paths: Sequence[Path]) -> set[int]:
    # Nearly always one file; then the disk need not be asked.
    return {path.stat().st_size for path in paths} if len(paths) > 1 else {0}
