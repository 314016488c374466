"""One builder at a time, and nothing left lying of builders that were killed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from qana.console import console
from qana.errors import QanaError

BUILDING, REPLACED, LOCK = ".building", ".replaced", ".lock"


@contextmanager
def builder_of(folder: Path, label: str) -> Iterator[None]:
    """Hold the lock beside a cache folder; say so when another process has to finish first.

    The operating system frees the lock of a process that is killed.

    Raises:
        QanaError: the lock cannot be made or taken.
    """
    with writing(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = lock_of(folder)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            tell(f"{label}: another process is at it already; waiting for its result")
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def remove_leftovers(folder: Path) -> None:
    """Remove what killed builders left, of this folder (whose lock is held) and of others.

    Raises:
        QanaError: it cannot be removed.
    """
    with writing(folder.parent):
        for leftover in [*folder.parent.glob(f"*{BUILDING}"), *folder.parent.glob(f"*{REPLACED}")]:
            other = leftover.with_suffix("")
            if other == folder:
                shutil.rmtree(leftover)
            else:
                _remove_if_idle(leftover, other)


def swap_in(folder: Path) -> None:
    """Put the finished build of a folder in its place; whoever has the old one mapped keeps it.

    Raises:
        QanaError: the folders cannot be renamed.
    """
    built, replaced = folder.with_suffix(BUILDING), folder.with_suffix(REPLACED)
    with writing(folder.parent):
        if folder.exists():
            folder.rename(replaced)
        built.rename(folder)
        if replaced.exists():
            shutil.rmtree(replaced)


def tell(line: str) -> None:
    """Print a line as it is; file names may hold what rich takes for markup."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def writing(cache_dir: Path) -> Iterator[None]:
    """Turn a failure to write into an error that names the config key.

    Raises:
        QanaError: instead of OSError.
    """
    try:
        yield
    # filelock says so where a file system has no locks.
    except (OSError, NotImplementedError) as error:
        raise QanaError(
            f"decoded images cannot be kept below {cache_dir}: {error}",
            where=f"dataset.cache_dir = {cache_dir}",
            allowed="a folder that can be written and has room",
            fix="give another dataset.cache_dir=<folder>, or decode into memory with dataset.cache_dir=null",
        ) from error


def _remove_if_idle(leftover: Path, other: Path) -> None:
    lock = lock_of(other)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return  # no leftover: its builder is at work
    try:
        shutil.rmtree(leftover, ignore_errors=True)
    finally:
        lock.release()


def lock_of(folder: Path) -> FileLock:
    """The lock of a cache folder, which lies beside it."""
    return FileLock(folder.with_suffix(LOCK))
