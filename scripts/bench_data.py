"""Measures how fast images get to the training step, beside what people usually write, and writes CSV files.

    .venv/bin/python scripts/bench_data.py --root DIR --out experiments/data_speed

decode.csv  HAM10000 into pixels: first start, second start, and a plain Pillow loop, each in its own process.
memory.csv  peak memory of decoding synthetic 600x450 JPEGs: it must not grow with their number.
epoch.csv   training steps of the default network: share of the time spent waiting for data and augmenting,
            with the batches of this project and with a torch DataLoader over the JPEG files, turn by turn.
"""

from __future__ import annotations

import argparse
import os
import platform
from pathlib import Path

import numpy
import PIL
import torch
from data_speed.decode import DECODE_JOBS, decode_table
from data_speed.epoch import epoch_table
from data_speed.memory import memory_table
from data_speed.table import show, write

PARTS = ("decode", "memory", "epoch")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, help="folder of HAM10000; needed by decode and epoch")
    parser.add_argument("--out", type=Path, required=True, help="folder for the CSV files")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="which parts to run")
    parser.add_argument("--steps", type=int, default=40, help="measured training steps per loader and round")
    parser.add_argument("--rounds", type=int, default=3, help="how often each loader has its turn")
    parser.add_argument("--device", default="cpu", help="where the training steps run: cpu or cuda")
    parser.add_argument(
        "--images",
        type=int,
        nargs="+",
        default=[500, 1000, 2000],
        help="numbers of synthetic JPEGs for memory",
    )
    chosen = parser.parse_args()
    if chosen.root is None and {"decode", "epoch"} & set(chosen.only):
        parser.error("--root is needed for decode and epoch (or choose --only memory)")
    return chosen


def machine() -> dict[str, object]:
    """What the numbers depend on beside the code."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torch_threads": torch.get_num_threads(),
        "pillow": PIL.__version__,
        "numpy": numpy.__version__,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def main() -> None:
    """Run the chosen parts; every finished part leaves its CSV file."""
    chosen = arguments()
    tables = {
        "decode": lambda: decode_table(chosen.root, DECODE_JOBS),
        "memory": lambda: memory_table(chosen.images),
        "epoch": lambda: epoch_table(chosen.root, chosen.steps, chosen.rounds, chosen.device),
    }
    write(chosen.out / "machine.csv", [machine()])
    for part in chosen.only:
        rows = tables[part]()
        show(part, rows)
        write(chosen.out / f"{part}.csv", rows)


if __name__ == "__main__":  # spawned processes import this file
    main()
