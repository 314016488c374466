"""What a clinic's labels mean: which class, or none on purpose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from qana.dataset.table.offenders import Offenders
from qana.dataset.table.row_checks import LABEL, without_unknown_labels
from qana.dataset.table.table_file import TableFile
from qana.errors import QanaError, listed

FEWEST = 2


@dataclass(frozen=True)
class Labels:
    """The classes of a source, and which label means which.

    Attributes:
        classes: class names, in the order of the target indices.
        mapping: label to class, or to None for labels that are left out on purpose; a label that is not
            listed means the class of its name.

    Raises:
        QanaError: fewer than two classes, a class twice, or labels that are mapped to no class.
    """

    classes: tuple[str, ...]
    mapping: Mapping[str, str | None]

    def __post_init__(self) -> None:
        twice = [name for name, count in Counter(self.classes).items() if count > 1]
        if twice or len(self.classes) < FEWEST:
            what = (
                f"classes named twice: {listed(twice)}"
                if twice
                else f"{len(self.classes)} classes are too few"
            )
            raise QanaError(
                what,
                where=f"dataset.class_names = {list(self.classes)}",
                allowed="two names or more, each once",
                fix="for example dataset.class_names=[benign,malignant]",
            )
        lost = [
            f"{label}: {name}" for label, name in self.mapping.items() if name not in (None, *self.classes)
        ]
        if lost:
            raise QanaError(
                f"{len(lost)} labels are mapped to names that are no class: {listed(lost)}",
                where="dataset.class_mapping",
                allowed=f"{', '.join(self.classes)} (dataset.class_names), or null to leave the images out",
                fix="correct the names, or add them to dataset.class_names",
            )

    @property
    def meaning(self) -> dict[str, str | None]:
        """Every label that may occur, to its class or None."""
        return {**{name: name for name in self.classes}, **self.mapping}

    def apply(self, file: TableFile, rows: pd.DataFrame, offenders: Offenders) -> pd.DataFrame:
        """The rows whose label means a class, with the class as their label.

        Raises:
            QanaError: labels that mean nothing, and none may be left out.
        """
        rows = without_unknown_labels(
            file,
            rows,
            known=list(self.meaning),
            fix="add them to dataset.class_mapping (label: class, or label: null to leave its images out)",
            offenders=offenders,
        )
        rows = rows.assign(**{LABEL: [self.meaning[label] for label in rows[LABEL]]})
        return rows[rows[LABEL].notna()]
