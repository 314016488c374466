"""How far the cost model is off where a board was measured: shown in every report."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from qana.evaluation.cost import AkidaCostModel
from qana.evaluation.published.measurements import (
    ONE_PASS,
    BoardRun,
    StreamRun,
    board_runs,
    image_shape,
    programs,
    stream_runs,
)

CORE, WALL, ENERGY = "latency in the core, ms", "latency on the wall, ms", "energy, mJ"


@dataclass(frozen=True)
class Residual:
    """One published figure and what the model says instead.

    Attributes:
        network: of the vendor.
        target: board, such as ``akd1000``.
        run: which measurement.
        quantity: what was measured, per image, with its unit.
        published: the figure.
        modelled: by the constants in use.
    """

    network: str
    target: str
    run: str
    quantity: str
    published: float
    modelled: float

    @property
    def error(self) -> float:
        """Share by which the model is too high."""
        return self.modelled / self.published - 1

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, shaped as in the report."""
        return {**asdict(self), "error": self.error}


def residuals(model: AkidaCostModel) -> list[Residual]:
    """Compare the model, with the constants it has now, with every published run of a board it knows."""
    found: list[Residual] = []
    for stream in stream_runs():
        if stream.target in model.boards:
            found += _stream(model, stream)
    for run in board_runs():
        if run.target in model.boards:
            found += _board(model, run)
    return found


def _stream(model: AkidaCostModel, run: StreamRun) -> Iterator[Residual]:
    board, layers, shape = model.board(run.target), programs()[run.program], image_shape(run.network)
    clocks = model.clocks(layers, ONE_PASS, run.target)
    per_image = clocks.of_call(run.images).value / run.images / (board.clock_mhz * 1e3)
    published = run.clocks / run.images / (board.clock_mhz * 1e3)
    yield Residual(run.network, run.target, run.run, CORE, published, per_image)
    wall = model.wall_ms(clocks, board, run.images, math.prod(shape))
    if wall is None:
        return
    yield Residual(run.network, run.target, run.run, WALL, run.wall_ms, wall.value)
    if run.energy_mj is not None:
        cost = model.estimate(layers, ONE_PASS, run.target, image_shape=shape)
        above_floor = board.picojoules_per_synop.value * cost.synops * 1e-9
        energy = board.floor_power_mw.value * wall.value / 1e3 + above_floor
        yield Residual(run.network, run.target, run.run, ENERGY, run.energy_mj, energy)


def _board(model: AkidaCostModel, run: BoardRun) -> Iterator[Residual]:
    layers = programs()[run.program]
    cost = model.estimate(layers, ONE_PASS, run.target, image_shape=(1, 1, 1))
    name = f"one image, {run.mapping}"
    yield Residual(run.network, run.target, name, CORE, run.latency_ms, cost.latency_ms.value)
    yield Residual(run.network, run.target, name, ENERGY, run.energy_mj, cost.energy_mj.value)
