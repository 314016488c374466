"""Reads the group of an image from its file name."""

from __future__ import annotations

import re

import pandas as pd

from qana.dataset.table.offenders import Offenders
from qana.dataset.table.row_checks import GROUP, IMAGE
from qana.dataset.table.table_file import TableFile
from qana.errors import QanaError


def require_pattern(pattern: str | None) -> None:
    """Refuse what is no regular expression, or has no group in parentheses.

    Raises:
        QanaError: see above.
    """
    if pattern is None:
        return
    try:
        what = None if re.compile(pattern).groups else "has no part in parentheses"
    except re.error as error:
        what = f"is no regular expression ({error})"
    if what:
        raise QanaError(
            f"{pattern!r} {what}",
            where=f"dataset.group_pattern = {pattern}",
            allowed="a regular expression whose first part in parentheses is the group, or null",
            fix=r"for example dataset.group_pattern='^(\w+)-' for P017-left.jpg",
        )


def groups_from_names(
    file: TableFile, rows: pd.DataFrame, pattern: str, *, name: str, offenders: Offenders
) -> pd.DataFrame:
    """The rows with their ``group``; those whose file name does not tell one are left out.

    Args:
        file: where the rows come from.
        rows: its rows.
        pattern: see `require_pattern`.
        name: column of the paths, with forward slashes; their last part is searched.
        offenders: told of the others.

    Raises:
        QanaError: names that the pattern does not fit, and none may be left out.
    """
    matches = [re.search(pattern, path.rpartition("/")[2]) for path in rows[name]]
    groups = [(match.group(1) or "") if match else "" for match in matches]
    rows = rows.assign(**{GROUP: groups})
    unfit = rows[GROUP] == ""
    offenders.found(
        f"images of {file.name} whose file name does not tell their group",
        list(rows.loc[unfit, IMAGE]),
        where=f"dataset.group_pattern = {pattern}",
        allowed="file names that the pattern fits",
        fix="correct dataset.group_pattern, or rename these files",
    )
    return rows[~unfit]
