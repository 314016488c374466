"""HAM10000: dermoscopic photographs of pigmented lesions, from a folder that the user has."""

from __future__ import annotations

from pathlib import Path

from qana.dataset.arguments import require_image_size
from qana.dataset.decode import Crop, decode_images, require_crop
from qana.dataset.diagnoses import CLASSES
from qana.dataset.image_index import find_images, index_images
from qana.dataset.metadata import read_metadata
from qana.dataset.split import require_fractions, split_by_lesion
from qana.dataset.splits import ImageSet, Splits
from qana.errors import QanaError


class Ham10000:
    """HAM10000 (Tschandl et al. 2018, doi:10.1038/sdata.2018.161), split by lesion.

    Below `root` lie ``HAM10000_metadata.csv`` (or ``HAM10000_metadata``, as Dataverse names it) and the
    JPEG files, in any folders. Images that the table does not name are ignored. The order of the rows of
    the table changes nothing.

    Args:
        root: folder of the table and the images.
        image_size: side of the square images, pixels.
        crop: ``centre`` keeps the middle square of the short side, undistorted; ``none`` keeps the whole
            photograph and squeezes its long side.
        val_fraction: share of the images for validation.
        test_fraction: share of the images for test.
        seed: another seed gives another split.

    Raises:
        QanaError: an argument out of its range.
    """

    def __init__(
        self,
        *,
        root: str,
        image_size: int,
        crop: Crop,
        val_fraction: float,
        test_fraction: float,
        seed: int,
    ) -> None:
        require_image_size(image_size, smallest=1)
        require_crop(crop)
        require_fractions(val_fraction=val_fraction, test_fraction=test_fraction)
        self.root, self.image_size, self.crop = Path(root).expanduser(), image_size, crop
        self.val_fraction, self.test_fraction, self.seed = val_fraction, test_fraction, seed
        # Known before any image is, so that an illegal network is refused before the data are read.
        self.classes, self.image_shape = CLASSES, (image_size, image_size, 3)

    def load(self) -> Splits:
        """Read the table, decode every image it names and split by lesion.

        Raises:
            QanaError: no root, no images, no table, a table that is not as published, or images that are
                missing or unreadable; each time all offenders at once.
        """
        self._require_root()
        found = find_images(self.root)
        table = read_metadata(self.root, CLASSES)
        paths = index_images(self.root, found, table.image_ids)
        images = decode_images(paths, image_size=self.image_size, crop=self.crop, root=self.root)
        source = ImageSet(images, table.target, table.image_ids, table.lesion_ids)
        return split_by_lesion(
            "ham10000",
            CLASSES,
            source,
            val_fraction=self.val_fraction,
            test_fraction=self.test_fraction,
            seed=self.seed,
        )

    def _require_root(self) -> None:
        if not self.root.is_dir():
            raise QanaError(
                f"there is no folder {self.root}",
                where=f"dataset.root = {self.root}",
                allowed="a folder with HAM10000_metadata.csv and the JPEG files, in any folders below it",
                fix="get HAM10000 from doi:10.7910/DVN/DBW86T, then give dataset.root=<folder>"
                " (or use dataset=synthetic)",
            )
