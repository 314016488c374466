"""Opens an npz file of MedMNIST and checks that it is laid out as published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qana.dataset.pixels.npz_images import DAMAGED, array_shape
from qana.errors import QanaError, listed

SIDES = ("train", "val", "test")
KEYS = tuple(f"{side}_{kind}" for side in SIDES for kind in ("images", "labels"))
SMALLEST_SIDE = 28  # of the file whose name says no size


@dataclass(frozen=True)
class MedMnistFile:
    """What is known of a file before an image is read.

    Attributes:
        path: the file.
        labels: side to (M,) int64 label of each of its images.
        where: config key and value that led to it.
        fix: what to do about bad content.
    """

    path: Path
    labels: Mapping[str, NDArray[np.int64]]
    where: str
    fix: str

    def unfit(self, what: str, *, allowed: str) -> QanaError:
        """The error of a file that cannot be used at all."""
        return _unfit(self.path, what, where=self.where, allowed=allowed, fix=self.fix)


def open_medmnist(path: Path, *, where: str, fix: str) -> MedMnistFile:
    """Read the labels, and check the shapes of the images without reading them.

    Raises:
        QanaError: no npz file, arrays missing, or arrays of another shape or type.
    """
    try:
        faults, labels = _faults(path)
    except DAMAGED as error:
        what = f"is not a readable npz file ({error or type(error).__name__})"
        raise _unfit(path, what, where=where, allowed="an npz file of MedMNIST", fix=fix) from error
    if faults:
        allowed = "images (M, S, S, 3) uint8 and labels (M, 1) of whole numbers for each of " + ", ".join(
            SIDES
        )
        raise _unfit(path, f"is not as published: {listed(faults)}", where=where, allowed=allowed, fix=fix)
    return MedMnistFile(path, labels, where, fix)


def _faults(path: Path) -> tuple[list[str], dict[str, NDArray[np.int64]]]:
    loaded = np.load(path, allow_pickle=False)
    if not isinstance(loaded, np.lib.npyio.NpzFile):
        raise ValueError("one array instead of several")
    with loaded as content:
        missing = [name for name in KEYS if name not in content.files]
        if missing:
            return [f"it lacks {', '.join(missing)}; it has {listed(content.files) or 'nothing'}"], {}
        labels = {side: content[f"{side}_labels"] for side in SIDES}
    faults = [
        fault
        for side in SIDES
        for fault in (_label_fault(side, labels[side]), _image_fault(path, side, labels))
        if fault
    ]
    return faults, {} if faults else {
        side: each.reshape(-1).astype(np.int64) for side, each in labels.items()
    }


def _label_fault(side: str, labels: NDArray[np.generic]) -> str | None:
    whole = np.issubdtype(labels.dtype, np.integer)
    flat = labels.ndim == 1 or (labels.ndim == 2 and labels.shape[1] == 1)
    return None if whole and flat else f"{side}_labels is {_described(labels.shape, labels.dtype)}"


def _image_fault(path: Path, side: str, labels: Mapping[str, NDArray[np.generic]]) -> str | None:
    shape, dtype = array_shape(path, f"{side}_images")
    size = _size_in_name(path)
    if dtype == np.uint8 and shape == (len(labels[side]), size, size, 3):
        return None
    return (
        f"{side}_images is {_described(shape, dtype)} instead of"
        f" ({len(labels[side])}, {size}, {size}, 3) uint8 for as many labels"
    )


def _size_in_name(path: Path) -> int:
    _, _, size = path.stem.partition("_")
    return int(size) if size else SMALLEST_SIDE


def _described(shape: tuple[int, ...], dtype: np.dtype) -> str:
    return f"{tuple(int(length) for length in shape)} {dtype}"


def _unfit(path: Path, what: str, *, where: str, allowed: str, fix: str) -> QanaError:
    return QanaError(f"{path.name} {what}", where=where, allowed=allowed, fix=fix)
