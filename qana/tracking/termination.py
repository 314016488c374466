"""Turns a termination signal into an exception, so that a killed run is closed and recorded as killed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


class Terminated(SystemExit):
    """The process was asked to stop with SIGTERM; leaves with exit code 143 (128 + 15)."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Raise `Terminated` in the main thread when SIGTERM arrives inside the block.

    Does nothing in another thread, where Python allows no handler, or where somebody else already handles
    the signal.
    """
    free = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not free or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def signal_behind(error: BaseException) -> signal.Signals | None:
    """Say which signal ended the work: SIGINT, SIGTERM, or None for an error of its own.

    Lightning answers Ctrl-C with ``exit(1)``; the interrupt is then found as the context of the `SystemExit`.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, KeyboardInterrupt):
            return signal.SIGINT
        if isinstance(cause, Terminated):
            return signal.SIGTERM
        cause = (cause.__cause__ or cause.__context__) if isinstance(cause, SystemExit) else None
    return None


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:
    raise Terminated
