"""Procedural dermoscopy: a source that needs no download, for trying the whole pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from qana.dataset.pixels.pixels import FileStamp
from qana.dataset.pixels.preprocessing import Preprocessing, require_image_size
from qana.dataset.source import Source
from qana.dataset.split import groups_needed
from qana.dataset.synthetic_photograph import photograph
from qana.dataset.table.diagnoses import CLASSES, HAM10000_IMAGES
from qana.dataset.table.offenders import Offenders
from qana.dataset.table.table import Table
from qana.errors import QanaError

SMALLEST_IMAGE = 32  # pixels; below, the structures melt into one another
# HAM10000 has 58 naevi to each dermatofibroma; at 2,000 images that leaves too few lesions to measure on.
TEMPER = 0.75
LESIONS_WANTED = 12  # of each class, where the number of images allows it
MOST_FOR_FLOOR = 0.5  # share of the images that may go to lifting rare classes to that number


@dataclass(frozen=True, kw_only=True)
class SyntheticDermoscopy(Source):
    """Drawn lesions of the seven HAM10000 classes, told apart by structure and not by colour.

    Skin, lesion colours, light and camera come from the same distributions for every class. The class
    sizes follow the long tail of HAM10000, tempered: proportional to (HAM10000 images)**0.75, a ratio of
    21 instead of 58 between the largest and the smallest, and each class has at least 12 lesions from
    about 500 images on. The same arguments give the same images.

    Args:
        images: number of photographs, all classes together.
        max_images_per_lesion: each lesion is photographed once up to this often, with another crop, turn,
            light and hair.

    `seed` makes other lesions as well as another split; the other arguments are those of `Source`.

    Raises:
        QanaError: an argument out of its range, or too few images for the folds.
    """

    images: int
    max_images_per_lesion: int

    name: ClassVar[str] = "synthetic"
    classes: ClassVar[tuple[str, ...]] = CLASSES

    def __post_init__(self) -> None:
        require_image_size(self.image_size, smallest=SMALLEST_IMAGE)
        super().__post_init__()
        _require_images(self.images, self.max_images_per_lesion, self.lesions_needed)

    @property
    def lesions_needed(self) -> int:
        """Fewest lesions of a class that can be split."""
        return groups_needed(self.folds)

    def read(self, offenders: Offenders) -> Table:
        target, lesions = self._plan_photographs()
        return Table(
            image_ids=tuple(f"SYN_{row:07d}" for row in range(self.images)),
            target=target,
            groups=tuple(f"LES_{lesion:07d}" for lesion in lesions),
            group_key="lesion_id",
            attributes={},
            official=None,
            pixels=DrawnPhotographs(target, lesions, self.seed),
        )

    def _plan_photographs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Class index and lesion number of each photograph, both (N,)."""
        counts = class_sizes(self.images, self.max_images_per_lesion, self.lesions_needed)
        rng = np.random.default_rng([self.seed, 2])
        per_lesion: list[int] = []
        for count in counts:
            per_lesion += _photographs_per_lesion(int(count), self.max_images_per_lesion, rng)
        target = np.repeat(np.arange(len(CLASSES), dtype=np.int64), counts)
        return target, np.repeat(np.arange(len(per_lesion), dtype=np.int64), per_lesion)


def class_sizes(images: int, max_images_per_lesion: int, lesions_needed: int) -> NDArray[np.int64]:
    """Photographs of each class, in the order of `CLASSES`; they add up to `images`."""
    weights = np.array([HAM10000_IMAGES[name] for name in CLASSES]) ** TEMPER
    lesions = min(LESIONS_WANTED, int(MOST_FOR_FLOOR * images / len(CLASSES) / max_images_per_lesion))
    floor = max_images_per_lesion * max(lesions_needed, lesions)
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


class DrawnPhotographs:
    """Draws photographs on demand; what `qana.dataset.pixels` asks of the place that images come from.

    Args:
        target: (N,) class index of each photograph.
        lesions: (N,) lesion of each photograph.
        seed: another seed draws other lesions.
    """

    def __init__(self, target: NDArray[np.int64], lesions: NDArray[np.int64], seed: int) -> None:
        self._target, self._lesions, self._seed = target, lesions, seed

    def __len__(self) -> int:
        return len(self._target)

    def files(self) -> tuple[FileStamp, ...]:
        """None: nothing is read, so nothing is kept in a cache."""
        return ()

    def sha256(self, file: int) -> str:
        raise IndexError(f"drawn photographs have no file {file}")

    def decode(
        self, rows: NDArray[np.int64], out: NDArray[np.uint8], preprocessing: Preprocessing
    ) -> dict[int, str]:
        for place, row in enumerate(rows.tolist()):
            drawn = photograph(
                CLASSES[self._target[row]],
                preprocessing.image_size,
                lesion_seed=[self._seed, 0, int(self._lesions[row])],
                photo_seed=[self._seed, 1, row],
            )
            out[place] = preprocessing.apply(Image.fromarray(drawn))
        return {}


def _require_images(images: int, max_images_per_lesion: int, lesions_needed: int) -> None:
    if max_images_per_lesion < 1:
        raise QanaError(
            f"a lesion cannot be photographed {max_images_per_lesion} times",
            where=f"dataset.max_images_per_lesion = {max_images_per_lesion}",
            allowed="1 or more",
            fix="for example dataset.max_images_per_lesion=3",
        )
    fewest = len(CLASSES) * lesions_needed * max_images_per_lesion
    if images < fewest:
        raise QanaError(
            f"{images} images are too few for {lesions_needed} lesions of each class",
            where=f"dataset.images = {images}, dataset.max_images_per_lesion = {max_images_per_lesion}",
            allowed=f"{fewest} images or more at this number of photographs per lesion",
            fix=f"for example dataset.images={fewest}",
        )
