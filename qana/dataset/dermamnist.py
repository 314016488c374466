"""DermaMNIST: HAM10000 as MedMNIST hands it out, one npz file per size, split by MedMNIST."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qana.dataset.medmnist_file import SIDES, MedMnistFile, open_medmnist
from qana.dataset.pixels.npz_images import NpzImages, Place
from qana.dataset.source import Source
from qana.dataset.table.diagnoses import CLASSES
from qana.dataset.table.offenders import Offenders
from qana.dataset.table.table import Table
from qana.dataset.table.table_file import require_folder
from qana.errors import QanaError

SIZES = (28, 64, 128, 224)  # published sides, pixels
ORIGIN = "https://zenodo.org/records/10519652"


@dataclass(frozen=True, kw_only=True)
class DermaMnist(Source):
    """DermaMNIST (MedMNIST v2, Yang et al. 2023, doi:10.1038/s41597-022-01721-8).

    `root` holds ``dermamnist.npz`` (28 x 28) or ``dermamnist_64.npz``, ``_128``, ``_224``. The smallest that
    is there and not smaller than `image_size` is read, and resized.

    Its images are those of HAM10000, squeezed to squares, without their names: no groups are known, so
    ``protocol=lesion`` is refused. Its official split puts photographs of one lesion on several sides
    (Abhishek, Jain, Hamarneh 2025, doi:10.1038/s41597-025-04382-5), and scores on it are too good; the audit
    of a run lists the near-duplicates. For a split by lesion take ``dataset=ham10000``.

    Args:
        root: folder of the npz files; the other arguments are those of `Source`.

    Raises:
        QanaError: an argument out of its range.
    """

    root: str

    name: ClassVar[str] = "dermamnist"
    # The labels 0 to 6 in the order of `medmnist.INFO`: that of the HAM10000 names in the alphabet.
    classes: ClassVar[tuple[str, ...]] = CLASSES

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require_size()
        if self.protocol == "lesion" and self.split_file is None:
            raise QanaError(
                "dermamnist does not say which images show the same lesion",
                where="dataset.protocol = lesion",
                allowed="official, image",
                fix="dataset.protocol=official; or the same images with their lesions: dataset=ham10000",
            )

    def read(self, offenders: Offenders) -> Table:
        """Read the labels, and where the images lie.

        Raises:
            QanaError: no root, no file that is large enough, a file that is not as published, or labels that
                mean no class and may not be left out.
        """
        root = Path(self.root).expanduser()
        file = open_medmnist(
            self._choose(root), where=f"dataset.root = {root}", fix=f"fetch it again ({ORIGIN})"
        )
        image_ids, places, target, sides = _rows(file)
        good = (target >= 0) & (target < len(CLASSES))
        offenders.found(
            f"images of {file.path.name} with unknown labels",
            [f"{image_ids[row]} ({target[row]})" for row in np.flatnonzero(~good)],
            where=f"dataset.root = {root}",
            allowed=f"0 to {len(CLASSES) - 1}: {', '.join(CLASSES)}",
            fix=f"fetch the published file again ({ORIGIN})",
        )
        kept = np.flatnonzero(good).tolist()
        if not kept:
            raise file.unfit("has no image that can be used", allowed="images with a known label")
        return Table(
            image_ids=tuple(image_ids[row] for row in kept),
            target=target[kept],
            groups=None,
            group_key=None,
            attributes={},
            official=tuple(sides[row] for row in kept),
            pixels=NpzImages(root, file.path, [places[row] for row in kept], choice=_choice(good)),
        )

    def _require_size(self) -> None:
        if self.image_size > SIZES[-1]:
            raise QanaError(
                f"dermamnist has no images of {self.image_size} x {self.image_size} pixels",
                where=f"dataset.image_size = {self.image_size}",
                allowed=f"{SIZES[-1]} or less",
                fix="a smaller dataset.image_size, or the same images in full: dataset=ham10000",
            )

    def _choose(self, root: Path) -> Path:
        files = {size: root / f"dermamnist{'' if size == SIZES[0] else f'_{size}'}.npz" for size in SIZES}
        fitting = {size: path for size, path in files.items() if size >= self.image_size}
        allowed = f"{' or '.join(path.name for path in fitting.values())}, directly in that folder"
        get = f"get {next(iter(fitting.values())).name} from {ORIGIN}"
        require_folder(root, content=allowed, fix=f"{get}, then give dataset.root=<folder>")
        chosen = next((path for path in fitting.values() if path.is_file()), None)
        if chosen is None:
            there = [path.name for path in files.values() if path.is_file()]
            raise QanaError(
                f"{root} holds {' and '.join(there) or 'no dermamnist file'}, and nothing of"
                f" {self.image_size} x {self.image_size} pixels or more",
                where=f"dataset.image_size = {self.image_size}, dataset.root = {root}",
                allowed=allowed,
                fix=f"{get}, or dataset.image_size=28 for what is there" if there else get,
            )
        return chosen


def _rows(
    file: MedMnistFile,
) -> tuple[tuple[str, ...], list[Place], NDArray[np.int64], tuple[str, ...]]:
    """Image ids, places, labels and sides of every image, in the order of the ids."""
    order = sorted(SIDES)
    places = [(f"{side}_images", row) for side in order for row in range(len(file.labels[side]))]
    sides = tuple(side for side in order for _ in file.labels[side])
    # MedMNIST gives its images no names.
    image_ids = tuple(f"{side}_{row:05d}" for side, (_, row) in zip(sides, places, strict=True))
    return image_ids, places, np.concatenate([file.labels[side] for side in order]), sides


def _choice(good: NDArray[np.bool_]) -> str:
    return "" if good.all() else f"rows {hashlib.sha256(np.packbits(good).tobytes()).hexdigest()[:16]}"
