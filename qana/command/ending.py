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
    text = f"its process ended without saying how: {_named(error)}\n"
    if error.__cause__ is not None:
        text += f"caused by: {_last_line(error.__cause__)}\n"
    return Failure(overrides, text, FAILED)


def _named(error: BaseException) -> str:
    first = (str(error).strip().splitlines() or [""])[0].strip()
    return type(error).__name__ + (f": {first}" if first else "")


def _last_line(cause: BaseException) -> str:
    """Of a traceback that came as text from another process: the error that it ends with."""
    lines = [line.strip() for line in str(cause).splitlines() if line.strip(' \t"')]
    return lines[-1] if lines else _named(cause)
