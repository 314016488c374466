"""Procedural dermoscopy: a source that needs no download, for trying the whole pipeline."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qana.console import progress
from qana.dataset.arguments import require_image_size
from qana.dataset.diagnoses import CLASSES, HAM10000_IMAGES
from qana.dataset.split import NUM_SPLITS, require_fractions, split_by_lesion
from qana.dataset.splits import ImageSet, Splits
from qana.dataset.synthetic_photograph import photograph
from qana.errors import QanaError

SMALLEST_IMAGE = 32  # pixels; below, the structures melt into one another
# HAM10000 has 58 naevi to each dermatofibroma; at 2,000 images that leaves too few lesions to measure on.
TEMPER = 0.75
LESIONS_WANTED = 12  # of each class, where the number of images allows it
MOST_FOR_FLOOR = 0.5  # share of the images that may go to lifting rare classes to that number


class SyntheticDermoscopy:
    """Drawn lesions of the seven HAM10000 classes, told apart by structure and not by colour.

    Skin, lesion colours, light and camera come from the same distributions for every class. The class
    sizes follow the long tail of HAM10000, tempered: proportional to (HAM10000 images)**0.75, a ratio of
    21 instead of 58 between the largest and the smallest, and each class has at least 12 lesions from
    about 500 images on. The same arguments give the same images.

    Args:
        images: number of photographs, all classes together.
        image_size: side of the square images, pixels, 32 or more.
        max_images_per_lesion: each lesion is photographed once up to this often, with another crop, turn,
            light and hair.
        val_fraction: share of the images for validation.
        test_fraction: share of the images for test.
        seed: another seed gives other lesions and another split.

    Raises:
        QanaError: an argument out of its range, or too few images for three lesions of each class.
    """

    def __init__(
        self,
        *,
        images: int,
        image_size: int,
        max_images_per_lesion: int,
        val_fraction: float,
        test_fraction: float,
        seed: int,
    ) -> None:
        require_image_size(image_size, smallest=SMALLEST_IMAGE)
        require_fractions(val_fraction=val_fraction, test_fraction=test_fraction)
        _require_images(images, max_images_per_lesion)
        self.images, self.image_size, self.max_images_per_lesion = images, image_size, max_images_per_lesion
        self.val_fraction, self.test_fraction, self.seed = val_fraction, test_fraction, seed
        # Known before any image is, so that an illegal network is refused before the data are read.
        self.classes, self.image_shape = CLASSES, (image_size, image_size, 3)

    def load(self) -> Splits:
        """Draw every photograph and split by lesion."""
        return split_by_lesion(
            "synthetic",
            CLASSES,
            self._draw(),
            val_fraction=self.val_fraction,
            test_fraction=self.test_fraction,
            seed=self.seed,
        )

    def _draw(self) -> ImageSet:
        target, lesions = self._plan()
        images = np.empty((self.images, self.image_size, self.image_size, 3), dtype=np.uint8)
        with progress("draw synthetic dermoscopy", total=self.images) as advance:
            for row, (label, lesion) in enumerate(zip(target, lesions, strict=True)):
                images[row] = photograph(
                    CLASSES[label],
                    self.image_size,
                    lesion_seed=[self.seed, 0, int(lesion)],
                    photo_seed=[self.seed, 1, row],
                )
                advance(1)
        return ImageSet(
            images=images,
            target=target,
            image_ids=tuple(f"SYN_{row:07d}" for row in range(self.images)),
            lesion_ids=tuple(f"LES_{lesion:07d}" for lesion in lesions),
        )

    def _plan(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Class index and lesion number of each photograph, both (N,)."""
        counts = class_sizes(self.images, self.max_images_per_lesion)
        rng = np.random.default_rng([self.seed, 2])
        per_lesion: list[int] = []
        for count in counts:
            per_lesion += _photographs_per_lesion(int(count), self.max_images_per_lesion, rng)
        target = np.repeat(np.arange(len(CLASSES), dtype=np.int64), counts)
        return target, np.repeat(np.arange(len(per_lesion), dtype=np.int64), per_lesion)


def class_sizes(images: int, max_images_per_lesion: int) -> NDArray[np.int64]:
    """Photographs of each class, in the order of `CLASSES`; they add up to `images`."""
    weights = np.array([HAM10000_IMAGES[name] for name in CLASSES]) ** TEMPER
    lesions = min(LESIONS_WANTED, int(MOST_FOR_FLOOR * images / len(CLASSES) / max_images_per_lesion))
    floor = max_images_per_lesion * max(NUM_SPLITS, lesions)
    sizes = np.maximum(np.floor(images * weights / weights.sum()).astype(np.int64), floor)
    # What rounding left over, or the floor took too much, is settled with the largest class.
    sizes[np.argmax(weights)] += images - sizes.sum()
    return sizes


def _photographs_per_lesion(count: int, most: int, rng: np.random.Generator) -> list[int]:
    """Cut `count` photographs into lesions of 1 to `most`; half as likely for each one more."""
    chances = 0.5 ** np.arange(most)
    sizes: list[int] = []
    while count:
        sizes.append(min(count, 1 + int(rng.choice(most, p=chances / chances.sum()))))
        count -= sizes[-1]
    return sizes


def _require_images(images: int, max_images_per_lesion: int) -> None:
    if max_images_per_lesion < 1:
        raise QanaError(
            f"a lesion cannot be photographed {max_images_per_lesion} times",
            where=f"dataset.max_images_per_lesion = {max_images_per_lesion}",
            allowed="1 or more",
            fix="for example dataset.max_images_per_lesion=3",
        )
    fewest = len(CLASSES) * NUM_SPLITS * max_images_per_lesion
    if images < fewest:
        raise QanaError(
            f"{images} images are too few for {NUM_SPLITS} lesions of each class",
            where=f"dataset.images = {images}, dataset.max_images_per_lesion = {max_images_per_lesion}",
            allowed=f"{fewest} images or more at this number of photographs per lesion",
            fix=f"for example dataset.images={fewest}",
        )
