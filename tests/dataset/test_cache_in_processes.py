import multiprocessing
import shutil
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from threading import Lock

import numpy as np
import pytest
from filelock import FileLock
from photographs import decoded_directly, save_photographs
from watched_files import (
    PREPROCESSING,
    WatchedFiles,
    build,
    build_together,
    build_with_little_room,
    build_without_end,
    wait_until,
)

from qana.console import console
from qana.dataset.pixels.blocks import BLOCKS_PER_THREAD, in_order
from qana.dataset.pixels.cache import cache_key, decoded_images


@pytest.fixture(scope="module")
def processes():
    # Forked from a process of one thread, in which the imports are done already.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["qana.dataset.pixels.cache"])
    return context


@pytest.fixture
def folder(tmp_path):
    save_photographs(tmp_path / "images", 70)
    (tmp_path / "meeting").mkdir()
    return tmp_path


def files_of(folder):
    return WatchedFiles(folder / "images", sorted((folder / "images").iterdir()), folder / "log")


def directly(folder):
    return np.stack([decoded_directly(path, image_size=8, crop="centre") for path in files_of(folder).paths])


def names_in(cache_dir):
    return sorted(path.suffix for path in cache_dir.iterdir())


def require_built_once(folder, results):
    assert files_of(folder).rows_decoded == list(range(70))
    assert {digest for digest, _, _ in results} == {results[0][0]}
    assert {pixels for _, pixels, _ in results} == {directly(folder).tobytes()}
    assert names_in(folder / "cache") == ["", ".lock"]


def test_two_processes_that_start_at_once_build_once(processes, folder):
    with ProcessPoolExecutor(2, mp_context=processes) as pool:
        started = [pool.submit(build_together, str(folder), me, 2) for me in ("one", "two")]
        require_built_once(folder, [one.result() for one in started])


def test_three_threads_that_start_at_once_build_once(folder):
    with ThreadPoolExecutor(3) as pool:
        started = [pool.submit(build_together, str(folder), me, 3) for me in ("one", "two", "three")]
        require_built_once(folder, [one.result() for one in started])


def test_builder_that_has_to_wait_says_so(folder, monkeypatch):
    said = []
    monkeypatch.setattr(console, "print", lambda *line, **_: said.extend(line))
    files = files_of(folder)
    key = cache_key(files.files(), len(files), PREPROCESSING)
    (folder / "cache").mkdir()
    with ThreadPoolExecutor(1) as pool:
        with FileLock(folder / "cache" / f"{key}.lock"):
            builder = pool.submit(
                decoded_images, files, PREPROCESSING, cache_dir=folder / "cache", label="decode"
            )
            wait_until(lambda: said)
            assert said == ["decode: another process is at it already; waiting for its result"]
            assert files.rows_decoded == []
        assert np.array_equal(builder.result().images, directly(folder))


def test_killed_build_leaves_nothing_that_would_be_taken(processes, folder):
    child = processes.Process(target=build_without_end, args=(str(folder),))
    child.start()
    wait_until(lambda: set(range(64)) <= set(files_of(folder).rows_decoded))
    wait_until(lambda: list((folder / "cache").glob("*.building/images.npy")))
    child.kill()
    child.join()
    assert names_in(folder / "cache") == [".building", ".lock"]
    (folder / "log").unlink()
    decoded, text = build(files_of(folder), folder / "cache")
    assert np.array_equal(decoded.images, directly(folder))
    assert files_of(folder).rows_decoded == list(range(70))
    assert "anew" not in text
    assert names_in(folder / "cache") == ["", ".lock"]


@pytest.mark.parametrize("moved", ["built", "old"])
def test_build_killed_between_its_last_two_steps_is_no_harm(folder, moved):
    cache_dir = folder / "cache"
    build(files_of(folder), cache_dir)
    (built,) = (path for path in cache_dir.iterdir() if path.is_dir())
    if moved == "old":  # killed after the old folder made room: there is none now
        built.rename(built.with_suffix(".replaced"))
    else:  # killed before the replaced folder was removed
        shutil.copytree(built, built.with_suffix(".replaced"))
        (built / "facts.npz").unlink()  # a reason to build, and so to tidy up
    decoded, _ = build(files_of(folder), cache_dir)
    assert np.array_equal(decoded.images, directly(folder))
    assert names_in(cache_dir) == ["", ".lock"]


def test_leftovers_of_other_sources_are_removed_unless_they_are_being_built(folder):
    cache_dir = folder / "cache"
    for name in ("killed.building", "killed.replaced", "busy.building"):
        (cache_dir / name).mkdir(parents=True)
    with FileLock(cache_dir / "busy.lock"):
        build(files_of(folder), cache_dir)
    assert [path.name for path in sorted(cache_dir.iterdir()) if path.suffix not in ("", ".lock")] == [
        "busy.building"
    ]


def test_disk_without_room_is_an_error_that_names_the_key(processes, folder):
    with ProcessPoolExecutor(1, mp_context=processes) as pool:
        error = pool.submit(build_with_little_room, str(folder), 10_000).result()
    assert f"decoded images cannot be kept below {folder / 'cache'}: " in error
    assert f"where:   dataset.cache_dir = {folder / 'cache'}" in error
    assert "dataset.cache_dir=null" in error
    assert names_in(folder / "cache") == [".lock"]


def test_decoding_never_runs_far_ahead_of_writing(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    lock, started = Lock(), []

    def work(item):
        with lock:
            started.append(item)
        return item

    for taken, item in enumerate(in_order(work, range(100))):
        assert item == taken
        assert len(started) <= taken + 2 * BLOCKS_PER_THREAD
    assert sorted(started) == list(range(100))
