"""Which process writes a run, so that one that ended without a word can be told from one that still works."""

from __future__ import annotations

import os
import platform

import psutil

PROCESS_TAG = "process"
TOLERANCE_S = 2.0  # the start of a process is known to a clock tick; a reboot changes it by more


def this_process() -> str:
    """Host, process id and start of this process, separated by spaces."""
    return f"{platform.node()} {os.getpid()} {psutil.Process().create_time():.2f}"


def is_gone(process: str | None) -> bool:
    """Whether a process of this host has ended; False where that cannot be known from here.

    Args:
        process: as `this_process` writes it, or None.
    """
    parts = (process or "").split()
    if len(parts) != 3 or parts[0] != platform.node():
        return False
    try:
        found = psutil.Process(int(parts[1]))
        same = abs(found.create_time() - float(parts[2])) < TOLERANCE_S
        return not same or found.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
