"""What others measured on Akida boards, as tables.

boards.csv: latency and energy of one image on AKD1500. github.com/Brainchip-Inc/brainchip_devhub,
akida1/model_zoo/*/docs/metrics.json, commit 541abd9 (clocks at 400 MHz).

streams.csv: runs of AkidaNet 0.5 at 224 on AKD1000: clocks of a call, images per second on the wall, mean and
floor power. Vendor documentation: user guide, "Command-line interface for model evaluation" (43.48 images/s),
and the page "See the power number" (one image of noise; 51.28 images/s).

layers.csv: MACs from the published architectures, NPs from mapping them on the virtual device (equal to the
published plots in the Minimal mapping), input sparsity read off the per-layer plots of the model zoo, in the
Minimal mapping. The AKD1000 rows take the AKD1500's sparsities of the same network.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

from qana.conversion.product import LayerReport, MappingReport

Program = tuple[str, str, str]  # network, mapping, target
ONE_PASS = MappingReport("", sequences=1, passes=1, nps=0, program_bytes=0, hardware_only=True)


@dataclass(frozen=True)
class BoardRun:
    """One image on its own on AKD1500."""

    network: str
    mapping: str
    target: str
    latency_ms: float
    energy_above_floor_mj: float
    energy_mj: float

    @property
    def program(self) -> Program:
        """Which layers ran."""
        return self.network, self.mapping, self.target


@dataclass(frozen=True)
class StreamRun:
    """A call of several images on AKD1000; `power_mw` is None where the call was too brief to read it."""

    network: str
    mapping: str
    target: str
    run: str
    images: int
    clocks: int
    images_per_s: float
    power_mw: float | None
    floor_mw: float

    @property
    def program(self) -> Program:
        """Which layers ran."""
        return self.network, self.mapping, self.target

    @property
    def wall_ms(self) -> float:
        """Per image."""
        return 1e3 / self.images_per_s

    @property
    def energy_mj(self) -> float | None:
        """Per image, floor included: mean power times wall time, as the SDK counts it."""
        return None if self.power_mw is None else self.power_mw * self.wall_ms / 1e3

    @property
    def energy_above_floor_mj(self) -> float | None:
        """Per image."""
        return None if self.power_mw is None else (self.power_mw - self.floor_mw) * self.wall_ms / 1e3


def board_runs() -> list[BoardRun]:
    """Every row of boards.csv."""
    return [
        BoardRun(
            row["network"],
            row["mapping"],
            row["target"],
            float(row["latency_ms"]),
            float(row["energy_above_floor_mj"]),
            float(row["energy_mj"]),
        )
        for row in _rows("boards.csv")
    ]


def stream_runs() -> list[StreamRun]:
    """Every row of streams.csv."""
    return [
        StreamRun(
            row["network"],
            row["mapping"],
            row["target"],
            row["run"],
            int(row["images"]),
            int(row["clocks"]),
            float(row["images_per_s"]),
            float(row["power_mw"]) if row["power_mw"] else None,
            float(row["floor_mw"]),
        )
        for row in _rows("streams.csv")
    ]


def programs() -> dict[Program, list[LayerReport]]:
    """Layers of every published program; what was not published is None, outputs are half zeros."""
    found = defaultdict(list)
    for row in _rows("layers.csv"):
        shape = (int(row["x"]), int(row["y"]), int(row["channels"]))
        layer = LayerReport(
            row["layer"], row["kind"], shape, int(row["macs"]), 1, int(row["nps"]),
            float(row["input_sparsity"]), 0.5, None, None, None, None,
        )  # fmt: skip
        found[row["network"], row["mapping"], row["target"]].append(layer)
    return dict(found)


def image_shape(network: str) -> tuple[int, int, int]:
    """(H, W, 3) of an AkidaNet, whose name ends in its image size."""
    size = int(network.rsplit("_", 1)[1])
    return size, size, 3


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = files("qana.evaluation.published").joinpath(name).read_text(encoding="utf-8")
    yield from csv.DictReader(text.splitlines())
