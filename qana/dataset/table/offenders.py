"""Bad rows and files: an error that names them all, or left out and remembered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from qana.errors import QanaError, listed

OnError = Literal["raise", "skip"]


@dataclass(frozen=True)
class Skipped:
    """Images that a run goes on without.

    Attributes:
        kind: what is wrong with them, such as ``files that cannot be read``.
        names: each with its reason, such as ``ISIC_0024306 (image file is truncated)``.
    """

    kind: str
    names: tuple[str, ...]


class Offenders:
    """Collects what is wrong with single rows, one kind at a time.

    Args:
        on_error: ``raise`` makes the first kind found an error; ``skip`` remembers every kind.
    """

    def __init__(self, on_error: OnError) -> None:
        self.on_error = on_error
        self._skipped: list[Skipped] = []

    def found(self, kind: str, names: Sequence[str], *, where: str, allowed: str, fix: str) -> None:
        """Say which rows are at fault; the caller leaves them out when this returns. No names, no fault.

        Args:
            kind: what is wrong, in the plural: it follows the count.
            names: every offender.
            where: config key and value that led there.
            allowed: what would have been accepted.
            fix: the next thing to do.

        Raises:
            QanaError: there are offenders, and none may be left out.
        """
        if not names:
            return
        if self.on_error == "skip":
            self._skipped.append(Skipped(kind, tuple(names)))
            return
        raise QanaError(
            f"{len(names)} {kind}: {listed(names)}",
            where=where,
            allowed=allowed,
            fix=f"{fix} (or go on without them: dataset.on_error=skip)",
        )

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What was left out so far, one entry per kind."""
        return tuple(self._skipped)
