"""Constants of the cost model from published measurements; `scripts/fit_cost_model.py` prints them.

The rates of the layers come from the model zoo's plots of single layers, which are pictures; what can be
fitted from its tables, the whole networks, is fitted here and must agree with them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from qana.conversion.product import LayerReport
from qana.evaluation.cost import AkidaCostModel
from qana.evaluation.estimate import Range
from qana.evaluation.layer_work import FAMILY_OF_KIND, layer_work
from qana.evaluation.published.measurements import (
    BoardRun,
    StreamRun,
    board_runs,
    image_shape,
    programs,
    stream_runs,
)

RATE_FAMILIES = ("input", "conv", "separable", "dense")


@dataclass(frozen=True)
class Fitted:
    """One constant: its key in evaluation.cost, what the fit says, and how it was fitted."""

    key: str
    found: Range
    how: str


def fit(model: AkidaCostModel) -> list[Fitted]:
    """Fit every constant that the tables determine.

    Args:
        model: gives the clocks of the boards; its other constants are not read.
    """
    streams, boards = stream_runs(), board_runs()
    return [
        *_host(streams, model.board("akd1000").clock_mhz),
        _floor(streams),
        _energy_akd1000(streams),
        *_akd1500(boards),
        *_rates(boards, model.board("akd1500").clock_mhz),
    ]


def _host(runs: Sequence[StreamRun], clock_mhz: float) -> list[Fitted]:
    """What a call takes beyond its clocks: a line over the images, and one through each run of ten."""
    images = np.array([run.images for run in runs], dtype=float)
    beyond_ms = np.array([run.wall_ms * run.images - run.clocks / (clock_mhz * 1e3) for run in runs])
    slope, intercept = np.polyfit(images, beyond_ms, 1)
    first = beyond_ms[images == 1].mean()
    slopes = [(ms - first) / (n - 1) for n, ms in zip(images, beyond_ms, strict=True) if n > 1]
    image_bytes = math.prod(image_shape(runs[0].network))
    intercepts = [first - each for each in slopes]
    per_byte = [each * 1e6 / image_bytes for each in slopes]
    how = "wall time beyond the clocks, a line over the images of a call; bounds: through each run of ten"
    return [
        Fitted("boards.akd1000.host_call_ms", Range(intercept, min(intercepts), max(intercepts)), how),
        Fitted(
            "boards.akd1000.host_ns_per_byte",
            Range(slope * 1e6 / image_bytes, min(per_byte), max(per_byte)),
            how,
        ),
    ]


def _floor(runs: Sequence[StreamRun]) -> Fitted:
    floors = [run.floor_mw for run in runs]
    return Fitted("boards.akd1000.floor_power_mw", _around(floors), "mean and range over the runs")


def _energy_akd1000(runs: Sequence[StreamRun]) -> Fitted:
    layers = programs()
    found = [
        run.energy_above_floor_mj * 1e9 / _synops(layers[run.program])
        for run in runs
        if run.energy_above_floor_mj is not None
    ]
    how = "(mean - floor power) x wall time / synops; mean and range over the runs"
    return Fitted("boards.akd1000.picojoules_per_synop", _around(found), how)


def _akd1500(runs: Sequence[BoardRun]) -> list[Fitted]:
    layers = programs()
    pj = [run.energy_above_floor_mj * 1e9 / _synops(layers[run.program]) for run in runs]
    floor = [(run.energy_mj - run.energy_above_floor_mj) / run.latency_ms * 1e3 for run in runs]
    return [
        Fitted("boards.akd1500.picojoules_per_synop", _around(pj), "energy above the floor / synops; median"),
        Fitted("boards.akd1500.floor_power_mw", _around(floor), "(energy - above the floor) / time; median"),
    ]


def _rates(runs: Sequence[BoardRun], clock_mhz: float) -> list[Fitted]:
    """Event MACs per NP and clock whose sum over the layers comes closest, in shares, to every latency."""
    layers = programs()
    shares = np.array([_shares(layers[run.program]) for run in runs])
    latency_clocks = np.array([run.latency_ms * clock_mhz * 1e3 for run in runs])
    weighted = shares / latency_clocks[:, None]
    clocks_per_mac, _ = nnls(weighted, np.ones(len(runs)))
    without = [_nnls_without(weighted, row) for row in range(len(runs))]
    fitted = []
    for column, family in enumerate(RATE_FAMILIES):
        values = [1 / each[column] if each[column] > 0 else math.inf for each in (clocks_per_mac, *without)]
        how = "whole networks, least squares of the shares; bounds: each network left out"
        found = Range(values[0], min(values), max(values))
        fitted.append(Fitted(f"macs_per_np_clock.{family}", found, how))
    return fitted


def _nnls_without(shares: np.ndarray, row: int) -> np.ndarray:
    left = np.delete(shares, row, axis=0)
    clocks, _ = nnls(left, np.ones(len(left)))
    return np.asarray(clocks)


def _shares(layers: Sequence[LayerReport]) -> list[float]:
    """Event MACs per NP, summed by family."""
    total = dict.fromkeys(RATE_FAMILIES, 0.0)
    previous = layers[0].output_shape
    for layer in layers:
        assert layer.kind in FAMILY_OF_KIND
        work = layer_work(layer, previous)
        total[work.family] += work.event_macs / work.nps
        previous = layer.output_shape
    return list(total.values())


def _synops(layers: Sequence[LayerReport]) -> float:
    return sum(layer.macs * (1 - layer.input_sparsity) for layer in layers)


def _around(values: Sequence[float]) -> Range:
    middle = float(np.mean(values)) if len(values) < 4 else float(np.median(values))
    return Range(middle, min(values), max(values))
