"""HAM10000: dermoscopic photographs of pigmented lesions, from a folder that the user has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from qana.dataset.pixels.image_index import find_images, match_images
from qana.dataset.source import Source
from qana.dataset.table.assemble import assemble
from qana.dataset.table.diagnoses import CLASSES
from qana.dataset.table.ham10000_table import FILE_NAMES, read_ham10000_rows
from qana.dataset.table.offenders import Offenders
from qana.dataset.table.row_checks import IMAGE
from qana.dataset.table.table import Table
from qana.dataset.table.table_file import TableFile, one_table, require_folder
from qana.errors import QanaError

JPEG = (".jpg", ".jpeg")
ORIGIN = "doi:10.7910/DVN/DBW86T"


@dataclass(frozen=True, kw_only=True)
class Ham10000(Source):
    """HAM10000 (Tschandl et al. 2018, doi:10.1038/sdata.2018.161).

    Below `root` lie ``HAM10000_metadata.csv`` (``HAM10000_metadata`` or ``HAM10000_metadata.tab``, as
    Dataverse names it) and the JPEG files of any size, in any folders: as unpacked from Dataverse or Kaggle
    (``HAM10000_images_part_1`` and ``_2``), or all in one. Images that the table does not name are ignored.
    The order of the rows of the table changes nothing.

    Args:
        root: folder of the table and the images; the other arguments are those of `Source`.

    Raises:
        QanaError: an argument out of its range.
    """

    root: str

    name: ClassVar[str] = "ham10000"
    classes: ClassVar[tuple[str, ...]] = CLASSES

    def read(self, offenders: Offenders) -> Table:
        """Read the table and find the file of every image.

        Raises:
            QanaError: no root, no images, no table, a table that is not as published, or rows at fault that
                may not be left out; each time all offenders of one kind at once.
        """
        root = Path(self.root).expanduser()
        require_folder(
            root,
            content="a folder with HAM10000_metadata.csv and the JPEG files, in any folders below it",
            fix=f"get HAM10000 from {ORIGIN}, then give dataset.root=<folder> (or use dataset=synthetic)",
        )
        found = find_images(root, JPEG)
        file = _metadata(root)
        rows = read_ham10000_rows(file, offenders)
        paths = match_images(root, list(rows[IMAGE]), found, offenders)
        return assemble(file, rows, classes=CLASSES, group_key="lesion_id", root=root, paths=paths)


def _metadata(root: Path) -> TableFile:
    fix = f"correct it, or fetch the published table again ({ORIGIN})"
    file = one_table(root, FILE_NAMES, fix=fix)
    if file is None:
        raise QanaError(
            f"there is no table of diagnoses in {root}",
            where=f"dataset.root = {root}",
            allowed=f"one of {' or '.join(FILE_NAMES)}, in any folder below the root",
            fix=f"put the metadata file of HAM10000 ({ORIGIN}) there",
        )
    return file
