"""Measures how long a conversion with the whole ladder takes, step by step, and how much memory it needs.

    .venv/bin/python scripts/bench_conversion.py --images 2000 --size 64 backbone=qana_s conversion=akd1000

The network is untrained and the images are drawn, which changes neither the work nor the memory. Run it on
cores that have nothing else to do. The target is 90 s and 3 GB on 2 cores, TensorFlow's import included.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from pathlib import Path

import psutil
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig

from qana.command.composition import config_directory
from qana.conversion.dry_images import dry_images
from qana.conversion.dry_run import quantize_untrained

CALIBRATED = 64  # images that the untrained network is quantized with
LOGS = ("conversion.log", "program.log", "mapping.log")
SAMPLE_S = 0.1


class Memory(threading.Thread):
    """Adds up the resident memory of all descendants of this process, ten times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._stopped = threading.Event()
        self.peak_bytes = 0
        self.largest: dict[str, int] = {}

    def run(self) -> None:
        while not self._stopped.wait(SAMPLE_S):
            sizes = [_resident(process) for process in psutil.Process().children(recursive=True)]
            self.peak_bytes = max(self.peak_bytes, sum(size for _, size in sizes))
            for name, size in sizes:
                self.largest[name] = max(self.largest.get(name, 0), size)

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def _resident(process: psutil.Process) -> tuple[str, int]:
    """What a process runs, and its bytes; ("", 0) for one that has just ended."""
    try:
        words = process.cmdline()
        name = next(
            (word for word in words if word.startswith("qana.conversion.")), "a worker of program_job"
        )
        return name.removeprefix("qana.conversion."), process.memory_info().rss
    except psutil.Error:
        return "", 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=2000, help="images that every stage answers")
    parser.add_argument("--size", type=int, default=64, help="height and width in pixels")
    parser.add_argument("--classes", type=int, default=7, help="logits")
    parser.add_argument("overrides", nargs="*", help="as for qana run: backbone=..., conversion=...")
    return parser.parse_args()


def configuration(overrides: list[str]) -> DictConfig:
    """The stages that matter here, composed as for a run."""
    with initialize_config_dir(str(config_directory()), version_base="1.3"):
        return compose("config", overrides=overrides)


def main() -> None:
    """Convert once and tell where the time and the memory went."""
    chosen = arguments()
    config = configuration(chosen.overrides)
    torch.manual_seed(0)
    target = instantiate(config.conversion)
    network = instantiate(config.backbone, num_classes=chosen.classes)
    shape = (chosen.size, chosen.size, 3)
    quantized = quantize_untrained(network, instantiate(config.quantization), dry_images(CALIBRATED, shape))
    images = dry_images(chosen.images, shape)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        memory = Memory()
        memory.start()
        start_s = time.monotonic()
        try:
            target.convert(quantized, images=images, folder=folder)
        finally:
            duration_s = time.monotonic() - start_s
            memory.stop()
            for name in LOGS:
                _tell_steps(folder / name)
    print(f"\n{chosen.images} images of {chosen.size}x{chosen.size}, {target.name}: {duration_s:.1f} s")
    print(f"{len(os.sched_getaffinity(0))} cores, load before {load:.2f}")
    print(f"peak of all children together: {memory.peak_bytes / 1e9:.2f} GB")
    for name, size in sorted(memory.largest.items(), key=lambda item: -item[1]):
        if size:
            print(f"  {name:<28} {size / 1e9:.2f} GB")


def _tell_steps(log: Path) -> None:
    """When each step of a child began, from the lines that it left in its log."""
    if not log.exists():
        return
    steps = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("[")]
    if steps:
        print(f"\n{log.stem}: seconds since the process was started, its imports included")
        print("\n".join(f"  {line}" for line in steps if " s] " in line))


if __name__ == "__main__":
    main()
