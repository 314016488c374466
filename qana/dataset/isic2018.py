"""ISIC 2018 Task 3: the challenge whose training images are HAM10000, with its official test images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pandas as pd

from qana.dataset.ham10000 import JPEG, ORIGIN
from qana.dataset.pixels.image_index import find_images, match_images
from qana.dataset.source import Source
from qana.dataset.table.assemble import assemble
from qana.dataset.table.diagnoses import CLASSES
from qana.dataset.table.isic2018_table import read_ground_truth, read_lesions
from qana.dataset.table.offenders import Offenders
from qana.dataset.table.row_checks import GROUP, IMAGE, SIDE, without_mixed_lesions
from qana.dataset.table.table import Table
from qana.dataset.table.table_file import TableFile, one_table, require_folder
from qana.errors import QanaError, listed

CHALLENGE = "https://challenge.isic-archive.com/data/#2018"
GROUND_TRUTH = {
    "train": "ISIC2018_Task3_Training_GroundTruth",
    "val": "ISIC2018_Task3_Validation_GroundTruth",
    "test": "ISIC2018_Task3_Test_GroundTruth",
}
LESIONS = "ISIC2018_Task3_Training_LesionGroupings"
ENDINGS = (".csv", ".tab", "")  # the challenge's; then Dataverse's


@dataclass(frozen=True, kw_only=True)
class Isic2018(Source):
    """ISIC 2018 Task 3 (Codella et al. 2019, arXiv:1902.03368), whose training images are HAM10000.

    Below `root`, in any folders, lie the ground truth of every side (``ISIC2018_Task3_Training_GroundTruth``,
    ``ISIC2018_Task3_Test_GroundTruth``, and ``ISIC2018_Task3_Validation_GroundTruth`` if it is wanted; each
    ``.csv``) and the JPEG files (``ISIC2018_Task3_Training_Input`` and so on). A side without ground truth is
    left out, so that the test side alone serves as a second source.

    ``ISIC2018_Task3_Training_LesionGroupings.csv`` says which training images show the same lesion; without
    it no groups are known. The challenge names no lesions of its validation and test images: each of them is
    its own group, unless the table of Dataverse, which names them, is there instead. Under
    ``protocol=lesion`` every image needs a lesion.

    Args:
        root: folder of the tables and the images; the other arguments are those of `Source`.

    Raises:
        QanaError: an argument out of its range.
    """

    root: str

    name: ClassVar[str] = "isic2018"
    classes: ClassVar[tuple[str, ...]] = CLASSES

    def read(self, offenders: Offenders) -> Table:
        """Read the tables of all sides and find the file of every image.

        Raises:
            QanaError: no root, no images, no table, a table that is not as published, images without a
                lesion under ``lesion``, or rows at fault that may not be left out.
        """
        root = Path(self.root).expanduser()
        require_folder(
            root,
            content="a folder with the tables and images of ISIC 2018 Task 3, in any folders below it",
            fix=f"get them from {CHALLENGE}, then give dataset.root=<folder>",
        )
        found = find_images(root, JPEG)
        tables = self._tables(root)
        rows = _all_sides(tables, offenders)
        rows = _with_lesions(root, rows, offenders)
        if self.protocol == "lesion" and self.split_file is None:
            _require_lesions(root, rows)
        file = next(iter(tables.values()))
        known = bool((rows[GROUP] != "").any())
        rows = rows.assign(**{GROUP: rows[GROUP].where(rows[GROUP] != "", rows[IMAGE])})
        rows = without_mixed_lesions(file, rows, offenders)
        paths = match_images(root, list(rows[IMAGE]), found, offenders)
        group_key = "lesion_id" if known else None
        return assemble(file, rows, classes=CLASSES, group_key=group_key, root=root, paths=paths)

    def _tables(self, root: Path) -> dict[str, TableFile]:
        """Side to its ground truth, of the sides that have one."""
        found = {side: _table(root, stem) for side, stem in GROUND_TRUTH.items()}
        wanted = "test" if self.protocol == "official" and self.split_file is None else None
        if not any(found.values()) or (wanted and found[wanted] is None):
            stem = GROUND_TRUTH[wanted or "train"]
            raise QanaError(
                f"there is no {stem}.csv in {root}",
                where=f"dataset.root = {root}, dataset.protocol = {self.protocol}",
                allowed=f"{stem}.csv, in any folder below the root",
                fix=f"get it from {CHALLENGE} and put it there",
            )
        return {side: file for side, file in found.items() if file is not None}


def _table(root: Path, stem: str) -> TableFile | None:
    fix = f"correct it, or fetch the published table again ({CHALLENGE})"
    return one_table(root, [stem + ending for ending in ENDINGS], fix=fix)


def _all_sides(tables: dict[str, TableFile], offenders: Offenders) -> pd.DataFrame:
    """Rows of every side; images that two sides claim are on none."""
    sides = [read_ground_truth(file, offenders).assign(**{SIDE: side}) for side, file in tables.items()]
    rows = pd.concat(sides, ignore_index=True).fillna("")
    claimed = rows.duplicated(IMAGE, keep=False)
    offenders.found(
        "images are on more than one side of the challenge",
        sorted(set(rows.loc[claimed, IMAGE])),
        where=next(iter(tables.values())).where,
        allowed="every image in one ground truth",
        fix=f"fetch the published tables again ({CHALLENGE})",
    )
    return rows[~claimed]


def _with_lesions(root: Path, rows: pd.DataFrame, offenders: Offenders) -> pd.DataFrame:
    """The rows, with the lesion of the training images where the challenge's groupings are there."""
    file = _table(root, LESIONS)
    if file is None:
        return rows
    lesions = read_lesions(file, offenders).set_index(IMAGE)
    wanting = (rows[SIDE] == "train") & (rows[GROUP] == "")
    unnamed = wanting & ~rows[IMAGE].isin(list(lesions.index))
    offenders.found(
        f"training images that {file.name} does not name",
        list(rows.loc[unnamed, IMAGE]),
        where=file.where,
        allowed="a lesion for every training image",
        fix=file.fix,
    )
    told = {name: lesions[name].to_dict() for name in lesions.columns}
    filled = {
        name: [
            values.get(image, "") if wanted else old
            for image, wanted, old in zip(rows[IMAGE], wanting, rows.get(name, [""] * len(rows)), strict=True)
        ]
        for name, values in told.items()
    }
    return rows.assign(**filled)[~unnamed]


def _require_lesions(root: Path, rows: pd.DataFrame) -> None:
    unknown = list(rows.loc[rows[GROUP] == "", IMAGE])
    if unknown:
        raise QanaError(
            f"the lesions of {len(unknown)} images are not known: {listed(unknown)}",
            where=f"dataset.protocol = lesion, dataset.root = {root}",
            allowed="a lesion for every image, so that photographs of one lesion can be kept together",
            fix=f"put {LESIONS}.csv ({CHALLENGE}) there for the training images; for the test images take the"
            f" table of Dataverse ({ORIGIN}), which names them; or dataset.protocol=official",
        )
