"""What a clinic's table calls its columns."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Header of the table, column by column; None where it has no such column.

    Args:
        image: file of the image: its name, its name without ending, or its path below the root.
        label: diagnosis, as `class_mapping` or the classes name it.
        group: what never crosses the split: the lesion or the patient.
        age: years.
        sex: any words.
        localization: place on the body, any words.
        split: ``train``, ``val`` or ``test``, for ``protocol=official``.
    """

    image: str
    label: str
    group: str | None
    age: str | None
    sex: str | None
    localization: str | None
    split: str | None

    @property
    def needed(self) -> list[str]:
        """Columns that have a value in every row."""
        wanted = dict.fromkeys((self.image, self.label, self.group, self.split))
        return [name for name in wanted if name is not None]

    @property
    def named(self) -> dict[str, str]:
        """What each column is for, to what the table calls it."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {purpose: name for purpose, name in found.items() if name is not None}
