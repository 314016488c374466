"""Runs a piece of work in a process of its own and watches its time and memory."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import psutil

SAMPLE_S = 0.005
MIB = 1 << 20


@dataclass(frozen=True)
class Cost:
    """What a piece of work took.

    Attributes:
        images: how many images it made.
        duration_s: wall time, without starting Python and importing.
        peak_rss_mib: most resident memory of the process, mapped files included.
        own_growth_mib: growth, at its highest, of the memory that is not mapped from files; the system can
            take mapped pages back at any time, these it cannot.
    """

    images: int
    duration_s: float
    peak_rss_mib: float
    own_growth_mib: float


def in_own_process(work: Callable[..., int], *arguments: object) -> Cost:
    """Call `work`, which returns a number of images, in a fresh process; its imports come first."""
    # Spawned, not forked: a fork would start with the memory of this process.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measured, work, arguments).result()


def _measured(work: Callable[..., int], arguments: tuple[object, ...]) -> Cost:
    with MemoryWatch() as memory:
        start_s = time.perf_counter()
        images = work(*arguments)
        duration_s = time.perf_counter() - start_s
    return Cost(images, duration_s, memory.peak_rss / MIB, (memory.peak_own - memory.first_own) / MIB)


class MemoryWatch:
    """Samples the memory of this process from a thread, every 5 ms, bytes."""

    def __init__(self) -> None:
        self._process, self._stop = psutil.Process(), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak_rss = self.peak_own = self.first_own = 0

    def __enter__(self) -> MemoryWatch:
        self._sample()
        self.first_own = self.peak_own
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._sample()

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_S):
            self._sample()

    def _sample(self) -> None:
        memory = self._process.memory_info()
        self.peak_rss = max(self.peak_rss, memory.rss)
        # Linux counts mapped files as shared; elsewhere psutil does not tell them apart.
        self.peak_own = max(self.peak_own, memory.rss - getattr(memory, "shared", 0))


def jpeg_files(root: Path) -> list[Path]:
    """Every JPEG below `root`, sorted."""
    return sorted(path for path in root.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))


def read_once(paths: list[Path]) -> None:
    """Read files into the page cache, so that the disk is no part of any comparison."""
    for path in paths:
        path.read_bytes()
