"""Finds copies of one photograph on two sides of a split: perceptual hash first, then the pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qana.dataset.audit.area_resize import area_resize
from qana.dataset.audit.grey import in_grey
from qana.dataset.audit.hash_search import Candidates, near_hashes
from qana.dataset.audit.perceptual_hash import perceptual_hash
from qana.dataset.audit.side import ImageArray, Side
from qana.dataset.audit.symmetries import SYMMETRIES

__all__ = ["MAX_HAMMING", "MAX_PIXEL_DISTANCE", "NearDuplicate", "find_near_duplicates", "perceptual_hash"]

# Measured on HAM10000 at 64 x 64; the numbers are in `find_near_duplicates`.
MAX_HAMMING = 10
MAX_PIXEL_DISTANCE = 0.15

COMPARED_SIDE = 24  # what is left of a JPEG at this size is not its encoding
MIN_CONTRAST = 2.0  # levels; below it a difference is encoding noise, which division would blow up
PAIRS_AT_ONCE = 1024  # 4 MiB of float32 for each of about ten arrays
IMAGES_AT_ONCE = 16  # 13 MiB of 600 x 450 pixels, four times that in float32
DECIMALS = 4  # float32 sums differ between machines in the sixth; pairs are sorted by what is printed


@dataclass(frozen=True)
class NearDuplicate:
    """Two images of different sides that look like one photograph.

    Attributes:
        first: image name on the side `first_split`.
        second: image name on the side `second_split`.
        first_split: name of the side, such as ``train``.
        second_split: name of the other side, such as ``test``.
        hamming: bits in which the perceptual hashes differ, in the best symmetry.
        pixel_distance: see `pixel_distance`.
        same_group: whether both are of one group; None where groups are unknown.
    """

    first: str
    second: str
    first_split: str
    second_split: str
    hamming: int
    pixel_distance: float
    same_group: bool | None


def find_near_duplicates(
    first: Side,
    second: Side,
    *,
    first_split: str,
    second_split: str,
    max_hamming: int,
    max_pixel_distance: float,
) -> tuple[NearDuplicate, ...]:
    """Find the pairs of images, one from each side, that look like one photograph.

        Candidates are pairs whose perceptual hashes differ in at most `max_hamming` bits in one of the eight
    symmetries of the square. `pixel_distance` confirms them.

    The thresholds in use, 10 bits and 0.15, were measured on the 10,015 images of HAM10000 at 64 x 64. Of 400
    flipped or turned copies each, all were found again when re-encoded (JPEG quality 95, 75, 50), resized (to
    a third, to double), or with other contrast (1.25), saturation (1.3) or gamma (0.8); 398 after brightness
    1.2, and after half size, quality 50 and brightness 1.1 together; 292 when 2 % were cropped from each
    edge; none when squeezed to another aspect. Across lesions one pair is within 0.15: ISIC_0025226 and
    ISIC_0030074, one photograph filed under two lesions. The next is at 0.204 and shows two lesions, as most
    do from there on. Of the 3,207 pairs of one lesion, 99 are within 0.15; the others were taken anew. At
    28 x 28 the same single pair is found, and the next is at 0.186.

    Args:
        first: one side.
        second: the other side.
        first_split: its name.
        second_split: its name.
        max_hamming: bits, 0 to 64.
        max_pixel_distance: 0 to 2; see `pixel_distance`.

    Returns:
        Sorted by pixel distance, then bits, then names. Blank images are never part of a pair.
    """
    pairs = [
        NearDuplicate(
            first=first.image_ids[row],
            second=second.image_ids[column],
            first_split=first_split,
            second_split=second_split,
            hamming=hamming,
            pixel_distance=distance,
            same_group=_same_group(first, second, row, column),
        )
        for row, column, hamming, distance in _found(first, second, max_hamming, max_pixel_distance)
    ]
    return tuple(sorted(pairs, key=lambda pair: (pair.pixel_distance, pair.hamming, pair.first, pair.second)))


def pixel_distance(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Root mean square difference of N pairs of grey images, in units of their contrast.

    Brightness and contrast are matched first, so a brighter or paler copy stays near. Levels would not do:
    two pale lesions differ by fewer levels than two encodings of a dark one. Grey, because a
    copy with other saturation, white balance or clipped light moves away in colour. For images of
    correlation r it is sqrt(2 - 2 r).

    Args:
        first: (N, H, W), levels.
        second: the same shape.

    Returns:
        (N,): 0 for copies, 1.41 for images with nothing in common, 2 for negatives.
    """
    return np.sqrt(np.square(_standardised(first) - _standardised(second)).mean(axis=(1, 2)))


def _standardised(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each image with mean 0 and root mean square 1."""
    centred = grey - grey.mean(axis=(1, 2), keepdims=True)
    contrast: NDArray[np.float32] = np.sqrt(np.square(centred).mean(axis=(1, 2), keepdims=True))
    return centred / np.maximum(contrast, np.float32(MIN_CONTRAST))


def _same_group(first: Side, second: Side, row: int, column: int) -> bool | None:
    if first.groups is None or second.groups is None:
        return None
    return first.groups[row] == second.groups[column]


def _found(
    first: Side, second: Side, max_hamming: int, max_pixel_distance: float
) -> Iterator[tuple[int, int, int, float]]:
    """Yield (row of first, row of second, bits, distance), each pair once, in its best symmetry."""
    if len(first) > len(second):  # the symmetries are taken of the smaller side
        for column, row, hamming, distance in _found(second, first, max_hamming, max_pixel_distance):
            yield row, column, hamming, distance
        return
    for block in near_hashes(first.perceptual_hash, second.perceptual_hash, max_hamming=max_hamming):
        distances = _distances(block, first.images, second.images)
        for k in _best_of_each_pair(block, distances, max_pixel_distance):
            yield int(block.first[k]), int(block.second[k]), int(block.hamming[k]), float(distances[k])


def _best_of_each_pair(
    pairs: Candidates, distances: NDArray[np.float64], max_pixel_distance: float
) -> NDArray[np.intp]:
    """Places of the near pairs among the candidates, each pair once, in the symmetry that fits best."""
    near = np.flatnonzero(distances <= max_pixel_distance)
    keys = pairs.hamming[near], distances[near], pairs.second[near], pairs.first[near]
    near = near[np.lexsort(keys)]
    first_of_pair = np.ones(len(near), dtype=bool)
    first_of_pair[1:] = (np.diff(pairs.first[near]) != 0) | (np.diff(pairs.second[near]) != 0)
    return near[first_of_pair]


def _distances(pairs: Candidates, first: ImageArray, second: ImageArray) -> NDArray[np.float64]:
    """(K,) pixel distance of every candidate, rounded; reads only the images that are candidates."""
    distances = np.empty(len(pairs.first), dtype=np.float64)
    for start in range(0, len(distances), PAIRS_AT_ONCE):
        part = slice(start, start + PAIRS_AT_ONCE)
        moved, still = _compared(first, pairs.first[part]), _compared(second, pairs.second[part])
        for number, symmetry in enumerate(SYMMETRIES):
            of_it = pairs.symmetry[part] == number
            moved[of_it] = symmetry.apply(moved[of_it])
        distances[part] = pixel_distance(moved, still)
    return distances.round(DECIMALS)


def _compared(images: ImageArray, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """(K, side, side) grey and small, of these rows; each image is read once."""
    unique, place = np.unique(rows, return_inverse=True)
    pieces = [unique[i : i + IMAGES_AT_ONCE] for i in range(0, len(unique), IMAGES_AT_ONCE)]
    return np.concatenate([area_resize(in_grey(images[piece]), COMPARED_SIDE) for piece in pieces])[place]
