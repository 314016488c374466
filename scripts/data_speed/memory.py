"""Whether decoding full-size photographs needs more memory the more there are."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data_speed.decode import from_files_or_cache
from data_speed.measure import MIB, in_own_process
from data_speed.table import Row
from qana.console import progress
from qana.dataset.synthetic_photograph import photograph
from qana.dataset.table.diagnoses import CLASSES

WIDTH, HEIGHT = 600, 450  # pixels, of the HAM10000 originals
DRAWN = 49  # different lesions; the files differ in their grain as well
DRAWN_SIZE = 160  # pixels
# Together they make files of about 200 kB, as photographs are; smooth drawings alone would be far smaller.
GRAIN = 14.0  # standard deviation, levels
QUALITY = 97


def memory_table(numbers: Sequence[int]) -> list[Row]:
    """Decode ever more synthetic photographs into a fresh cache, each number in its own process."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for count in numbers:
            root = folder / f"{count}_images"
            file_bytes = write_photographs(root, count)
            cost = in_own_process(from_files_or_cache, root, folder / f"{count}_cache")
            rows.append(
                {
                    "images": cost.images,
                    "size": f"{WIDTH}x{HEIGHT}",
                    "files_mib": round(file_bytes / MIB, 1),
                    "decoded_full_size_mib": round(cost.images * WIDTH * HEIGHT * 3 / MIB, 1),
                    "duration_s": round(cost.duration_s, 3),
                    "own_growth_mib": round(cost.own_growth_mib, 1),
                    "peak_rss_mib": round(cost.peak_rss_mib, 1),
                }
            )
    return rows


def write_photographs(root: Path, count: int) -> int:
    """Draw synthetic dermoscopy, enlarge it to 600x450 and write `count` JPEG files; returns their bytes."""
    root.mkdir()
    drawn = [_drawn(number) for number in range(min(count, DRAWN))]

    def write(number: int) -> int:
        path = root / f"{number:06d}.jpg"
        grain = np.random.default_rng(number).normal(0, GRAIN, (HEIGHT, WIDTH, 3))
        levels = np.clip(drawn[number % len(drawn)] + grain, 0, 255).astype(np.uint8)
        Image.fromarray(levels).save(path, quality=QUALITY)
        return path.stat().st_size

    with ThreadPoolExecutor() as pool, progress("write synthetic photographs", total=count) as advance:
        total = 0
        for size in pool.map(write, range(count)):
            total += size
            advance(1)
    return total


def _drawn(number: int) -> NDArray[np.float32]:
    """One (450, 600, 3) photograph."""
    diagnosis = CLASSES[number % len(CLASSES)]
    square = photograph(diagnosis, DRAWN_SIZE, lesion_seed=[0, 0, number], photo_seed=[0, 1, number])
    enlarged = Image.fromarray(square).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    return np.asarray(enlarged, dtype=np.float32)
