"""How one job of a command ended, in a form that travels between processes."""

from __future__ import annotations

from dataclasses import dataclass

from qana.command.outcome import FAILED, USER_ERROR, told


@dataclass(frozen=True)
class Failure:
    """A job that failed, in words: many an error cannot be pickled, or loses its cause on the way.

    Attributes:
        overrides: of the job, as typed.
        text: what the user is told.
        code: exit code that the job alone would have: 2 for a user error, else 1.
    """

    overrides: str
    text: str
    code: int


@dataclass(frozen=True)
class Pruned:
    """A job that its sweep gave up, which is no failure."""


def failure(overrides: str, error: BaseException) -> Failure:
    """Put an error into words."""
    text, code = told(error)
    return Failure(overrides, text, USER_ERROR if code == USER_ERROR else FAILED)


def lost(overrides: str, error: BaseException) -> Failure:
    """The failure of a job whose process was gone before it could say anything."""
    first = (str(error).strip().splitlines() or [""])[0].strip()
    text = f"its process ended without saying how: {type(error).__name__}" + (f": {first}" if first else "")
    return Failure(overrides, f"{text}\n", FAILED)
