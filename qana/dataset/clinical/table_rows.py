"""Reads a clinic's table, and finds the file of every image that it names."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath

import pandas as pd

from qana.dataset.clinical.columns import Columns
from qana.dataset.clinical.labels import Labels
from qana.dataset.clinical.sides import with_sides
from qana.dataset.pixels.image_index import ImageIndex, match_images
from qana.dataset.table.csv_table import read_csv, require_columns
from qana.dataset.table.offenders import Offenders
from qana.dataset.table.row_checks import GROUP, IMAGE, LABEL, SIDE, without_empty_cells
from qana.dataset.table.table_file import TableFile

NAMES = {
    "image": IMAGE,
    "label": LABEL,
    "group": GROUP,
    "split": SIDE,
    "age": "age",
    "sex": "sex",
    "localization": "localization",
}


def read_table(
    root: Path,
    found: ImageIndex,
    labels: Labels,
    file: TableFile,
    offenders: Offenders,
    *,
    columns: Columns,
) -> pd.DataFrame:
    """Rows of the table, in the columns that `row_checks` names, with the ``file`` of each image.

    Raises:
        QanaError: as `read_csv`; columns missing; or rows at fault, and none may be left out: empty cells,
            paths outside the root, unknown labels or sides, missing files.
    """
    raw = read_csv(file, offenders, expected=list(columns.named.values()))
    require_columns(file, raw, list(columns.named.values()))
    raw = without_empty_cells(file, raw, columns.needed, offenders)
    named = {NAMES[purpose]: raw[name] for purpose, name in columns.named.items()}
    rows = pd.DataFrame(named, index=raw.index)
    rows = _inside(file, rows, offenders)
    rows = labels.apply(file, rows, offenders)
    if SIDE in rows.columns:
        where = f"dataset.columns.split = {columns.split}"
        rows = with_sides(file, rows, where=where, offenders=offenders)
    return _with_files(root, found, rows, offenders)


def _inside(file: TableFile, rows: pd.DataFrame, offenders: Offenders) -> pd.DataFrame:
    """Rows whose image lies below the root, with a plain relative path in forward slashes for its id."""
    plain = [_plain(text) for text in rows[IMAGE]]
    offenders.found(
        f"images of {file.name} with a path that leads outside the root",
        [text for text, path in zip(rows[IMAGE], plain, strict=True) if path is None],
        where=file.where,
        allowed="names of files, or paths relative to dataset.root",
        fix="write the paths relative to dataset.root, or give a dataset.root that holds them all",
    )
    rows = rows.assign(**{IMAGE: plain})
    return rows[rows[IMAGE].notna()]


def _plain(text: str) -> str | None:
    """The path without detours; None where it leads outside."""
    windows = PureWindowsPath(text)  # takes both kinds of slash
    if windows.drive or windows.root:
        return None
    plain: list[str] = []
    for part in windows.parts:
        if part != "..":
            plain.append(part)
        elif plain:
            plain.pop()
        else:
            return None
    return PurePosixPath(*plain).as_posix() if plain else None


def _with_files(root: Path, found: ImageIndex, rows: pd.DataFrame, offenders: Offenders) -> pd.DataFrame:
    by_path: dict[str, list[Path]] = {}
    by_name: dict[str, list[Path]] = {}
    for stem, paths in found.items():
        by_name.setdefault(stem, []).extend(paths)
        for path in paths:
            relative = path.relative_to(root)
            by_name.setdefault(path.name, []).append(path)
            for written in {relative.as_posix(), relative.with_name(stem).as_posix()}:
                by_path.setdefault(written, []).append(path)
    images = list(dict.fromkeys(rows[IMAGE]))
    # A path says one place; a bare name is looked for everywhere.
    index = {image: by_path.get(image, []) if "/" in image else by_name.get(image, []) for image in images}
    files = match_images(root, images, {image: paths for image, paths in index.items() if paths}, offenders)
    rows = rows[rows[IMAGE].isin(list(files))]
    return rows.assign(file=[files[image].relative_to(root).as_posix() for image in rows[IMAGE]])
