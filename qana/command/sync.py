"""`qana sync`: sends what servers missed of runs while they were away."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from qana.command.outcome import DONE, USER_ERROR
from qana.errors import QanaError

if TYPE_CHECKING:
    from qana.tracking.outbox import Outbox  # imports MLflow's client, which help does not need

HELP = """\
usage: qana sync [FOLDER]

A tracking server that goes away in the middle of a run costs nothing: the run goes on, and what the server
misses waits in qana_unsent/, below the folder where the run was started. This sends it, once. A run whose
process ended without closing it is closed as KILLED; one that still works is left for later.

  FOLDER  where the entries wait (default: qana_unsent)

exit codes: 0 nothing waits any more, but for runs that still work; 2 a server does not answer or refuses

example:
  qana sync
"""


def main(arguments: list[str]) -> int:
    """Send every outbox, and return the exit code."""
    if {"-h", "--help"} & set(arguments):
        sys.stdout.write(HELP)
        return DONE
    from filelock import FileLock

    from qana.tracking.outbox import ROOT, RUN, Outbox

    root = _folder(arguments, ROOT)
    if not root.is_dir():
        sys.stdout.write(f"nothing waits in {root}\n")
        return DONE
    with FileLock(root / ".lock"):  # two at once would send twice
        waiting = [Outbox(path.parent) for path in sorted(root.glob(f"*/{RUN}"))]
        faults = [fault for outbox in waiting if (fault := _send(outbox)) is not None]
    if not waiting:
        sys.stdout.write(f"nothing waits in {root}\n")
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    return USER_ERROR if faults else DONE


def _folder(arguments: list[str], default: str) -> Path:
    options = [text for text in arguments if text.startswith("-") or "=" in text]
    if len(arguments) > 1 or options:
        raise QanaError(
            f"{' '.join(arguments)} cannot be followed",
            where=f"qana sync {' '.join(arguments)}",
            allowed="no argument, or the folder in which the entries wait",
            fix="type: qana sync",
        )
    folder = Path(arguments[0] if arguments else default)
    if arguments and not folder.is_dir():
        raise QanaError(
            f"there is no folder {folder}",
            where=f"qana sync {folder}",
            allowed=f"a folder such as {default}, left by a run whose server went away",
            fix="correct the path, or go to the folder where the run was started and type: qana sync",
        )
    return folder


def _send(outbox: Outbox) -> QanaError | None:
    from qana.tracking.sending import send_outbox, still_written

    run = outbox.addressee().run_id[:8]
    if still_written(outbox):
        sys.stdout.write(f"run {run} still works; left for later\n")
        return None
    try:
        sent = send_outbox(outbox)
    except QanaError as error:
        return error
    sys.stdout.write(f"run {run}: {sent} entries sent\n")
    return None
