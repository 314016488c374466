"""How long HAM10000 takes to become pixels, from the files and from the cache."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from hydra.utils import instantiate

from data_speed.default_experiment import default_config
from data_speed.measure import in_own_process, jpeg_files, read_once
from data_speed.plain import plain_decode
from data_speed.table import Row
from qana.dataset.pixels.cache import decoded_images
from qana.dataset.pixels.image_files import ImageFiles
from qana.dataset.pixels.preprocessing import Preprocessing

SIZE = 64
PREPROCESSING = Preprocessing(image_size=SIZE, crop="centre", colour="rgb")
Job = Callable[[Path, Path], int]


def from_files_or_cache(root: Path, cache_dir: Path) -> int:
    """What a start does with the pixels: decode into the cache, or check and map what lies there."""
    files = ImageFiles(root, jpeg_files(root))
    decoded = decoded_images(files, PREPROCESSING, cache_dir=cache_dir, label="decode images")
    if decoded.problems:
        raise RuntimeError(f"{len(decoded.problems)} files cannot be read: {next(iter(decoded.problems))}")
    return len(decoded.images)


def into_memory(root: Path, cache_dir: Path) -> int:
    """The same without a cache."""
    files = ImageFiles(root, jpeg_files(root))
    return len(decoded_images(files, PREPROCESSING, cache_dir=None, label="decode images").images)


def whole_start(root: Path, cache_dir: Path) -> int:
    """Everything before the training: table, pixels, split, leakage audit."""
    splits = instantiate(default_config(root, cache_dir).dataset).load()
    return sum(len(side) for side in (splits.train, splits.val, splits.test))


def plain_loop(root: Path, cache_dir: Path) -> int:
    """The usual loop over the files with Pillow, into one array, on one thread."""
    paths = jpeg_files(root)
    images = np.empty((len(paths), SIZE, SIZE, 3), dtype=np.uint8)
    for image, path in zip(images, paths, strict=True):
        image[:] = plain_decode(path, SIZE)
    return len(images)


# In this order: a second start finds the cache of the first. True: starts with an empty cache folder.
DECODE_JOBS: Mapping[str, tuple[Job, bool]] = {
    "plain Pillow loop, one thread": (plain_loop, True),
    "decode into memory": (into_memory, True),
    "decode into a fresh cache": (from_files_or_cache, True),
    "second start, from the cache": (from_files_or_cache, False),
    "whole start (table, pixels, split, audit), fresh cache": (whole_start, True),
    "whole second start": (whole_start, False),
}


def decode_table(root: Path, jobs: Mapping[str, tuple[Job, bool]]) -> list[Row]:
    """Measure every job in its own process.

    Returns:
        One row per job; `times_plain` is how many times faster it is than the first.
    """
    read_once(jpeg_files(root))
    rows: list[Row] = []
    plain_s = 0.0
    with tempfile.TemporaryDirectory() as scratch:
        for number, (name, (job, fresh)) in enumerate(jobs.items()):
            cache_dir = Path(scratch) / str(number if fresh else number - 1)
            cost = in_own_process(job, root, cache_dir)
            plain_s = plain_s or cost.duration_s
            rows.append(
                {
                    "job": name,
                    "images": cost.images,
                    "duration_s": round(cost.duration_s, 3),
                    "times_plain": round(plain_s / cost.duration_s, 2),
                    "own_growth_mib": round(cost.own_growth_mib, 1),
                    "peak_rss_mib": round(cost.peak_rss_mib, 1),
                }
            )
    return rows
