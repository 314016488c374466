"""Errors as the user sees them, and as the shell does: one message and an exit code."""

from __future__ import annotations

import sys
import traceback

from qana.errors import QanaError, StageFailedError
from qana.tracking.termination import signal_behind

DONE, FAILED, USER_ERROR = 0, 1, 2


def tell(error: BaseException) -> int:
    """Write an error to stderr and return its exit code; see `told`."""
    text, code = told(error)
    sys.stderr.write(text)
    return code


def told(error: BaseException) -> tuple[str, int]:
    """An error in words, and its exit code.

    A user error is its four parts and 2; Ctrl-C and SIGTERM are one line and 130 or 143; a stage that failed
    is one line and 1; anything else is a traceback and 1.
    """
    stopped_by = signal_behind(error)
    user_error = user_error_behind(error)
    if stopped_by is not None:
        return f"\nstopped by {stopped_by.name}\n", 128 + stopped_by
    if user_error is not None:
        return f"{user_error}\n", USER_ERROR
    if isinstance(error, StageFailedError):
        return f"{error}\n", FAILED
    if isinstance(error, SystemExit):
        return "", _code(error)
    return "".join(traceback.format_exception(error)), FAILED


def user_error_behind(error: BaseException) -> QanaError | None:
    """The user error itself, or the one that Hydra wrapped when a constructor raised it; None for a bug."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, QanaError):
        cause = cause.__cause__
    return cause


def _code(leaving: SystemExit) -> int:
    if isinstance(leaving.code, int):
        return leaving.code
    return DONE if leaving.code is None else FAILED
