"""Run a conversion step in a child process that may die without taking the run with it.

The SDK can end in SIGSEGV, or grow past the memory of the machine, on networks it does not like. The child
talks to us in JSON lines on a pipe of its own; whatever it or the SDK prints goes to a log file.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import psutil

from qana.errors import QanaError, StageFailedError

POLL_S = 0.25
CHANNEL = "QANA_CHANNEL"  # environment variable with the file descriptor of the pipe
Message = dict[str, Any]


class ConversionError(StageFailedError):
    """The conversion crashed or ran past its limits."""


@dataclass(frozen=True)
class Limits:
    """What a child may use.

    Attributes:
        timeout_s: wall-clock seconds.
        memory_gib: resident memory of the child and its own children.
    """

    timeout_s: float
    memory_gib: float


def run_child(
    module: str,
    job: Path,
    *,
    limits: Limits,
    log: Path,
    on_message: Callable[[Message], None],
    cancel: threading.Event | None = None,
) -> None:
    """Run ``python -m module job`` and hand on its messages.

    Args:
        module: a module with `report_to_parent` around its main function.
        job: path handed to it.
        limits: time and memory; beyond them the child is killed.
        log: file for everything else the child prints.
        on_message: called with every message but errors, in order.
        cancel: once set, by another thread, the child is killed.

    Raises:
        QanaError: the child refused its input.
        ConversionError: the child crashed or ran past its limits.
    """
    process, messages = _start(module, job, log)
    watch = _Watch(process, limits, cancel or threading.Event())
    watch.start()
    refusal: Message | None = None
    try:
        with messages:
            for line in messages:
                message = json.loads(line)
                if message.get("kind") == "refused":
                    refusal = message
                else:
                    on_message(message)
        code = process.wait()
    finally:
        watch.stop()
        if process.poll() is None:
            _end(process)
            process.wait()
    if refusal is not None:
        raise QanaError(**{key: refusal[key] for key in ("what", "where", "allowed", "fix")})
    if code != 0:
        raise ConversionError(f"{_ending(code, watch, limits)} while it ran {module} (log: {log})")


def _start(module: str, job: Path, log: Path) -> tuple[subprocess.Popen[bytes], TextIO]:
    """The child, and the end of the pipe on which its messages arrive."""
    reading, writing = os.pipe()
    with log.open("wb") as log_file:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(job)],
            stdout=log_file,
            stderr=subprocess.STDOUT,
            pass_fds=[writing],
            env={**_environment(), CHANNEL: str(writing)},
        )
    os.close(writing)  # ours; the pipe ends when the child's copy closes
    return process, os.fdopen(reading)


@contextlib.contextmanager
def report_to_parent() -> Iterator[Callable[[Message], None]]:
    """In the child: yields a function that sends a message; a QanaError becomes a refusal."""
    channel = os.fdopen(int(os.environ[CHANNEL]), "w", buffering=1)

    def send(message: Message) -> None:
        channel.write(json.dumps(message) + "\n")

    try:
        yield send
    except QanaError as error:
        parts = {key: getattr(error, key) for key in ("what", "where", "allowed", "fix")}
        send({"kind": "refused", **parts})


class _Watch(threading.Thread):
    """Kills the child when it passes its limits, and remembers which one."""

    def __init__(self, process: subprocess.Popen[bytes], limits: Limits, cancel: threading.Event) -> None:
        super().__init__(daemon=True)
        self._process, self._limits, self._cancel = process, limits, cancel
        self._stopped = threading.Event()
        self.exceeded: str | None = None

    def run(self) -> None:
        deadline = time.monotonic() + self._limits.timeout_s
        while not self._stopped.wait(POLL_S) and self._process.poll() is None:
            if self._cancel.is_set():
                self.exceeded = "was called off"
            elif time.monotonic() > deadline:
                self.exceeded = f"passed its limit of {self._limits.timeout_s:g} s"
            elif _resident_gib(self._process.pid) > self._limits.memory_gib:
                self.exceeded = f"passed its limit of {self._limits.memory_gib:g} GiB"
            if self.exceeded:
                _end(self._process)
                return

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def _family(pid: int) -> list[psutil.Process]:
    """The child and its own children."""
    with contextlib.suppress(psutil.Error):  # it has just ended
        child = psutil.Process(pid)
        return [child, *child.children(recursive=True)]
    return []


def _resident_gib(pid: int) -> float:
    size_bytes = 0
    for process in _family(pid):
        with contextlib.suppress(psutil.Error):
            size_bytes += process.memory_info().rss
    return size_bytes / 2**30


def _end(process: subprocess.Popen[bytes]) -> None:
    for member in _family(process.pid):
        with contextlib.suppress(psutil.Error):
            member.kill()


def _ending(code: int, watch: _Watch, limits: Limits) -> str:
    if watch.exceeded:
        return f"the conversion {watch.exceeded}"
    if code < 0:
        return f"the conversion was ended by {signal.Signals(-code).name}"
    return f"the conversion ended with exit code {code}"


def _environment() -> dict[str, str]:
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_USE_LEGACY_KERAS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return {**os.environ, **quiet, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
