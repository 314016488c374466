"""A small process that outlives ours: where we die without a word, it closes our run as KILLED.

SIGKILL, a crash of the interpreter and the kernel's killer when memory runs out leave no time to close
anything.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

CLOSED = b"closed"
LEAVE_LIMIT_S = 30.0


class Watcher:
    """Watches this process on behalf of one run, through a pipe that the kernel closes when we die.

    Args:
        uri: tracking URI of the store.
        run_id: of the run.
    """

    def __init__(self, uri: str, run_id: str) -> None:
        paths = os.pathsep.join(path for path in sys.path if path)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "qana.tracking.watch", uri, run_id],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": paths},
            start_new_session=True,  # Ctrl-C, and a kill of our process group, are not meant for it
        )

    def dismiss(self) -> None:
        """Say that the run is closed, so that nothing is left to do."""
        with contextlib.suppress(subprocess.TimeoutExpired, OSError):
            self._process.communicate(CLOSED, timeout=LEAVE_LIMIT_S)
