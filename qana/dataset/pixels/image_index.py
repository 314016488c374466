"""Finds the file of every image id, in whatever folders the files lie."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from qana.dataset.table.offenders import Offenders
from qana.errors import QanaError

ImageIndex = Mapping[str, Sequence[Path]]


def find_images(root: Path, suffixes: Collection[str]) -> dict[str, list[Path]]:
    """Walk the folders below `root` once; image id (file name without suffix) to its files, sorted.

    Links to files and to folders are followed.

    Args:
        root: the folder.
        suffixes: in lower case with their dot, such as ``.jpg``; the case of a file's own does not matter.

    Raises:
        QanaError: there is no such file.
    """
    found: dict[str, list[Path]] = {}
    for folder, name in _files_below(root):
        image_id, suffix = os.path.splitext(name)
        if suffix.lower() in suffixes:
            found.setdefault(image_id, []).append(folder / name)
    if not found:
        raise QanaError(
            f"there is no image below {root}",
            where=f"dataset.root = {root}",
            allowed=f"{' or '.join(sorted(suffixes))} files, in any folders below the root",
            fix="unpack the image archives there, or give another dataset.root",
        )
    for paths in found.values():
        paths.sort()
    return found


def match_images(
    root: Path, image_ids: Sequence[str], found: ImageIndex, offenders: Offenders
) -> dict[str, Path]:
    """Pick the file of each image id; ids at fault go to `offenders` and are left out.

    A public copy of HAM10000 holds every image twice, in two folders: files of equal content are the same.

    Returns:
        Image id to file, in the order of `image_ids`.

    Raises:
        QanaError: images without a file, or with several different ones, and none may be left out.
    """
    missing = [image_id for image_id in image_ids if image_id not in found]
    offenders.found(
        f"of {len(image_ids)} images of the table have no file",
        missing,
        where=f"dataset.root = {root}",
        allowed="a file <image_id>.jpg (or of another format), in any folder below the root, for every row",
        fix="unpack the missing image archives there, or remove these rows from the table",
    )
    files = {image_id: found[image_id] for image_id in image_ids if image_id in found}
    different = _different(files)
    offenders.found(
        "images have several, different files",
        [f"{image_id} ({', '.join(map(str, files[image_id]))})" for image_id in different],
        where=f"dataset.root = {root}",
        allowed="one file per image, or exact copies",
        fix="remove the files that do not belong there, or give the folder of one set as dataset.root",
    )
    excluded = set(different)
    return {image_id: paths[0] for image_id, paths in files.items() if image_id not in excluded}


def _files_below(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield (folder, file name), each folder once even where links lead back to it."""
    seen: set[tuple[int, int]] = set()
    for folder, subfolders, names in os.walk(root, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            subfolders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        subfolders.sort()
        parent = Path(folder)
        yield from ((parent, name) for name in names)


def _different(files: ImageIndex) -> list[str]:
    several = [image_id for image_id, paths in files.items() if len(paths) > 1]
    with ThreadPoolExecutor() as pool:  # reading waits for the disk
        same = pool.map(_all_equal, (files[image_id] for image_id in several))
        return [image_id for image_id, equal in zip(several, same, strict=True) if not equal]


def _all_equal(paths: Sequence[Path]) -> bool:
    return all(_equal(paths[0], path) for path in paths[1:])


def _equal(first: Path, second: Path) -> bool:
    try:
        return filecmp.cmp(first, second, shallow=False)
    except OSError:
        return False  # a copy that cannot be read is not known to be one
