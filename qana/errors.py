"""The one error a user meets: what failed, where in the config, what is allowed, how to fix it."""

from __future__ import annotations

from collections.abc import Sequence

MAX_OFFENDERS_SHOWN = 20


class QanaError(Exception):
    """The user's input or config is at fault; the command line turns it into exit code 2.

    Args:
        what: what failed, with the value received.
        where: the config key (and value) that led there, such as ``conversion.target = akd1000``.
        allowed: what would have been accepted.
        fix: the next thing to type or to change.
    """

    def __init__(self, what: str, *, where: str, allowed: str, fix: str) -> None:
        super().__init__(what)
        self.what, self.where, self.allowed, self.fix = what, where, allowed, fix

    def __str__(self) -> str:
        return f"{self.what}\n  where:   {self.where}\n  allowed: {self.allowed}\n  fix:     {self.fix}"

    # Hydra and pickle show repr(error), so the text has to be there too.
    __repr__ = __str__

    def __reduce__(self) -> tuple[object, tuple[str, str, str, str]]:
        return _rebuild, (self.what, self.where, self.allowed, self.fix)


class StageFailedError(RuntimeError):
    """A stage ended without a result through no fault of the config; the text is one line that says why.

    The command line tells the line, without a traceback, and leaves with exit code 1.
    """


class PrunedError(Exception):
    """A sweep gave up this run, because the runs before it were better at the same epoch; no failure."""


def _rebuild(what: str, where: str, allowed: str, fix: str) -> QanaError:
    return QanaError(what, where=where, allowed=allowed, fix=fix)


def listed(offenders: Sequence[object], limit: int = MAX_OFFENDERS_SHOWN) -> str:
    """Join the first `limit` offenders with commas and say how many more there are."""
    shown = ", ".join(str(offender) for offender in offenders[:limit])
    hidden = len(offenders) - limit
    return f"{shown} and {hidden} more" if hidden > 0 else shown
