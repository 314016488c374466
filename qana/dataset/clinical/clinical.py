"""The source that brings a clinic's own images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import pandas as pd

from qana.dataset.clinical.columns import Columns
from qana.dataset.clinical.labels import Labels
from qana.dataset.clinical.name_groups import groups_from_names, require_pattern
from qana.dataset.clinical.table_rows import read_table
from qana.dataset.clinical.tree_rows import read_tree
from qana.dataset.pixels.image_index import find_images
from qana.dataset.source import Source
from qana.dataset.table.assemble import assemble
from qana.dataset.table.attributes import without_bad_ages
from qana.dataset.table.csv_table import require_encoding
from qana.dataset.table.offenders import Offenders
from qana.dataset.table.row_checks import GROUP, IMAGE, without_mixed_lesions, without_repeated_images
from qana.dataset.table.table import Table
from qana.dataset.table.table_file import TableFile, require_folder
from qana.errors import QanaError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
FILE = "file"  # column of the file of each image, relative to the root


@dataclass(frozen=True, kw_only=True)
class Clinical(Source):
    """A folder of images with a table of labels, or a tree of folders named for the labels.

    Image ids are what the table says, or the path below `root` in a tree.

    Args:
        root: folder of the images.
        table: CSV file, relative to `root`; None for a tree, where the folder of an image is its label.
        encoding: text encoding of the table; ``utf-8`` also takes a byte order mark.
        columns: what the table calls its columns; not used in a tree.
        class_names: the classes, in the order of the network's outputs.
        class_mapping: label of the clinic to class; to None for labels that are left out on purpose. Labels
            that are not listed have to be class names. None lists no label.
        group_is: ``lesion``, which has one diagnosis, or ``patient``, who may have several.
        group_pattern: regular expression, searched for in the file name; its first group is the group of the
            image. None takes the groups from `columns`, or knows none.

    The other arguments are those of `Source`.

    Raises:
        QanaError: an argument out of its range.
    """

    root: str
    table: str | None
    encoding: str
    columns: Columns
    class_names: Sequence[str]
    class_mapping: Mapping[str, str | None] | None
    group_is: Literal["lesion", "patient"]
    group_pattern: str | None

    name: ClassVar[str] = "clinical"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_encoding(self.encoding, key="dataset.encoding")
        _ = self.labels  # refuses names that contradict each other
        _require_group_is(self.group_is)
        require_pattern(self.group_pattern)
        if self.group_pattern is not None and self.table is not None and self.columns.group is not None:
            raise QanaError(
                "the groups are to come from a column and from the file names",
                where=f"dataset.columns.group = {self.columns.group},"
                f" dataset.group_pattern = {self.group_pattern}",
                allowed="one of the two",
                fix="dataset.group_pattern=null, or dataset.columns.group=null",
            )

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(str(name) for name in self.class_names)

    @property
    def labels(self) -> Labels:
        """What the clinic's labels mean."""
        return Labels(self.classes, {str(label): name for label, name in (self.class_mapping or {}).items()})

    @property
    def group_key(self) -> str | None:
        """What tells groups apart; None where no groups are known."""
        if self.group_pattern is not None:
            return f"{self.group_is} (group_pattern)"
        return None if self.table is None else self.columns.group

    def read(self, offenders: Offenders) -> Table:
        """Read the table or the tree, and find the file of every image.

        Raises:
            QanaError: no root, no images, no table, a table in another encoding or without a column, or rows
                at fault that may not be left out.
        """
        root = Path(self.root).expanduser()
        require_folder(
            root,
            content=f"a folder with {self.table or 'a folder of images for each label'}",
            fix="give dataset.root=<folder of the images>",
        )
        found = find_images(root, SUFFIXES)
        file = self._file(root)
        if self.table is None:
            official = self.protocol == "official" and self.split_file is None
            rows = read_tree(root, found, self.labels, file, offenders, with_split=official)
        else:
            rows = read_table(root, found, self.labels, file, offenders, columns=self.columns)
        rows = self._checked(file, rows, offenders)
        paths = {image: root / name for image, name in zip(rows[IMAGE], rows[FILE], strict=True)}
        return assemble(file, rows, classes=self.classes, group_key=self.group_key, root=root, paths=paths)

    def _file(self, root: Path) -> TableFile:
        if self.table is None:
            return TableFile(root, where=f"dataset.root = {root}", fix="correct the folders")
        path = root / self.table
        if not path.is_file():
            raise QanaError(
                f"there is no table {path}",
                where=f"dataset.table = {self.table}, dataset.root = {root}",
                allowed="a CSV file, relative to the root; null for a tree of folders named for the labels",
                fix="give dataset.table=<file>",
            )
        return TableFile(
            path,
            where=f"dataset.table = {self.table}",
            fix=f"correct {path}",
            encoding=self.encoding,
            encoding_key="dataset.encoding",
        )

    def _checked(self, file: TableFile, rows: pd.DataFrame, offenders: Offenders) -> pd.DataFrame:
        if self.group_pattern is not None:
            rows = groups_from_names(file, rows, self.group_pattern, name=FILE, offenders=offenders)
        # Two spellings of one file are one image, so that files are compared and not ids.
        rows = without_repeated_images(file, rows, image=FILE, offenders=offenders)
        rows = without_bad_ages(file, rows, offenders)
        if GROUP in rows.columns and self.group_is == "lesion":
            rows = without_mixed_lesions(file, rows, offenders)
        return rows


def _require_group_is(group_is: str) -> None:
    if group_is not in ("lesion", "patient"):
        raise QanaError(
            f"a group is no {group_is!r}",
            where=f"dataset.group_is = {group_is}",
            allowed="lesion, patient",
            fix="dataset.group_is=patient if one group may have several diagnoses",
        )
