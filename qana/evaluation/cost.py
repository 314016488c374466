"""A first-order model of latency and energy on Akida, fitted to published board measurements.

    t_l     = event_macs_l / (nps_l * rate(family_l) * clock)          for every layer l
    latency = sum_l t_l (+ reprogramming, where a network needs more than one pass)
    stream  = max_l (t_l + t_l+1), from one image to the next (`pipeline`)
    wall    = (call + bytes * images + core clocks) / images, where the host's share was published
    energy  = floor_power * time + picojoules_per_synop * synops

where event_macs counts what non-zero inputs set off (`layer_work`) and synops are dense MACs times the
share of non-zero inputs. The layer rates were fitted to the AKD1500 measurements of the vendor's model zoo
(github.com/Brainchip-Inc/brainchip_devhub, akida1/model_zoo, commit 541abd9, August 2026), whose
per-layer input sparsities were read off the published plots: AkidaNet 0.25 and 0.5 at 160 and 224 pixels,
a visual-wake-words network and a keyword spotter. They come from the four AkidaNets in one mapping. Modelled
latency of an image is within 5 % of the boards for these and the visual-wake-words network in both
mappings, and 17 % and 23 % too low for the keyword spotter, which takes 0.1 to 0.3 ms: below a millisecond
expect the true value nearer to the upper bound. What an AKD1000 board adds (floor, host, energy above the
floor) is fitted to three runs of one network, AkidaNet 0.5 at 224 (`published.fit`).
`scripts/fit_cost_model.py` repeats the fit, and every report shows the residuals (`published.residuals`).

What it leaves out: conversion of the input on the host, overlap of layers within one image (the lower
bound covers it), clock gating.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qana.conversion.product import LayerReport, MappingReport
from qana.errors import QanaError, listed
from qana.evaluation.board import Board
from qana.evaluation.duty_cycle import DutyCycle, duty_cycle, require_rate
from qana.evaluation.estimate import Estimate, Range, as_range
from qana.evaluation.generic_energy import GenericEnergy
from qana.evaluation.layer_cost import LayerCost, elements, layer_costs
from qana.evaluation.layer_work import FAMILY_OF_KIND, LayerWork, layer_work
from qana.evaluation.pipeline import PipelineClocks, pipeline_clocks

__all__ = ["FAMILIES", "AkidaCostModel", "Board", "Cost", "Figures"]

FAMILIES = ("input", "conv", "pointwise", "separable", "depthwise", "dense")


@dataclass(frozen=True)
class Figures:
    """Latency and energy of one image in one way of running."""

    latency_ms: Estimate
    energy_mj: Estimate

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, shaped as in the report."""
        return {"latency_ms": self.latency_ms.as_dict(), "energy_mj": self.energy_mj.as_dict()}


@dataclass(frozen=True)
class Cost:
    """What one image costs on the chip.

    Attributes:
        macs: dense multiply-accumulates.
        synops: MACs whose input is not zero, on test images.
        activation_sparsity: share of zeros among all layer outputs, weighted by their number.
        footprint_bytes: weights of all layers at their bit-width.
        latency_ms: one image on its own, core only.
        energy_mj: one image on its own, floor power included.
        ways: the other ways of running: ``stream`` (core only); where the host's share of the board's wall
            time was published, ``wall`` and ``wall_stream`` too.
        energy_models: energy by model: ``floor_aware``, ``operations_45nm``, ``memory_45nm``.
        duty_cycle: a day at the configured rate.
        layers: one row per layer of the program, input first.
        clock_mhz: that the figures hold for.
        frames_per_call: images in one call of ``wall_stream``.
    """

    macs: int
    synops: int
    activation_sparsity: float
    footprint_bytes: int
    latency_ms: Estimate
    energy_mj: Estimate
    ways: Mapping[str, Figures]
    energy_models: Mapping[str, Estimate]
    duty_cycle: DutyCycle
    layers: tuple[LayerCost, ...]
    clock_mhz: float
    frames_per_call: int

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, shaped as in the report."""
        return {
            **vars(self),
            "latency_ms": self.latency_ms.as_dict(),
            "energy_mj": self.energy_mj.as_dict(),
            "ways": {name: figures.as_dict() for name, figures in self.ways.items()},
            "energy_models": {name: each.as_dict() for name, each in self.energy_models.items()},
            "duty_cycle": self.duty_cycle.as_dict(),
            "layers": [layer.as_dict() for layer in self.layers],
        }


class AkidaCostModel:
    """Estimates latency and energy of a mapped program for one image.

    Args:
        boards: target name (as in `conversion`) to the constants of its board.
        macs_per_np_clock: layer family to [value, low, high] of event MACs per neural processor and clock.
        program_clocks_per_byte: [value, low, high] of clocks to load one byte of program; counted only
            where the program needs more than one pass per image.
        frames_per_call: images that the host hands over at once, for the wall time of a stream.
        images_per_s: rate of the duty cycle.
        generic: models of the literature that stand beside this one.
    """

    def __init__(
        self,
        *,
        boards: Mapping[str, Board],
        macs_per_np_clock: Mapping[str, Sequence[float]],
        program_clocks_per_byte: Sequence[float],
        frames_per_call: int,
        images_per_s: float,
        generic: GenericEnergy,
    ) -> None:
        if set(macs_per_np_clock) != set(FAMILIES):
            raise QanaError(
                f"rates are given for {listed(sorted(macs_per_np_clock))}",
                where="evaluation.cost.macs_per_np_clock",
                allowed=f"one entry for each of {listed(FAMILIES)}",
                fix="add the missing entries and remove the others",
            )
        if frames_per_call < 1:
            raise QanaError(
                f"a call of {frames_per_call} images is none",
                where=f"evaluation.cost.frames_per_call = {frames_per_call}",
                allowed="at least 1",
                fix="leave out this override: the default is 10, as in the published runs",
            )
        require_rate(images_per_s)
        self.boards = dict(boards)
        self.rates = {f: as_range(r, f"macs_per_np_clock.{f}") for f, r in macs_per_np_clock.items()}
        self.program_clocks_per_byte = as_range(program_clocks_per_byte, "program_clocks_per_byte")
        self.frames_per_call, self.images_per_s, self.generic = frames_per_call, images_per_s, generic

    def board(self, target: str) -> Board:
        """Find the board of a target.

        Raises:
            QanaError: no constants are known for it.
        """
        if target not in self.boards:
            raise QanaError(
                f"the cost model has no constants for target {target}",
                where=f"conversion.target = {target}",
                allowed=listed(sorted(self.boards)),
                fix=f"add evaluation.cost.boards.{target} with measured constants, or choose another target",
            )
        return self.boards[target]

    def estimate(
        self,
        layers: Sequence[LayerReport],
        mapping: MappingReport,
        target: str,
        *,
        image_shape: tuple[int, int, int],
    ) -> Cost:
        """Estimate what one image costs.

        Args:
            layers: one report per layer, in program order, with sparsities measured on test images.
            mapping: how the program sits on the device.
            target: target name; selects the board.
            image_shape: (H, W, 3), for what the host hands over.

        Raises:
            QanaError: no constants for the target, a layer type with weights that the model lacks, or no
                sparsity, because the layers saw no image.
        """
        board = self.board(target)
        _require_images(layers)
        work = _work(layers)
        done = [layer for layer in work if layer is not None]
        clocks = self.clocks(layers, mapping, target)
        synops = sum(layer.synops for layer in done)
        dynamic = board.picojoules_per_synop.times(synops * 1e-9)
        one = Range(dynamic.value, dynamic.low / board.spread, dynamic.high * board.spread)
        core = self._figures(
            clocks.first_image, one, board, _CORE, self._latency_source(done, mapping, board)
        )
        outputs = [elements(layer) for layer in layers]
        zeros = sum(n * layer.output_sparsity for n, layer in zip(outputs, layers, strict=True))
        latencies = [None if layer is None else _ms(self._layer_clocks(layer), board) for layer in work]
        return Cost(
            macs=sum(layer.macs for layer in layers),
            synops=round(synops),
            activation_sparsity=zeros / sum(outputs),
            footprint_bytes=sum(layer.weight_bytes for layer in layers),
            latency_ms=core.latency_ms,
            energy_mj=core.energy_mj,
            ways=self._ways(clocks, one, board, math.prod(image_shape)),
            energy_models={
                "floor_aware": core.energy_mj,
                "operations_45nm": self.generic.operations(done),
                "memory_45nm": self.generic.with_memory(layers, work),
            },
            duty_cycle=duty_cycle(self.images_per_s, _ms(clocks.first_image, board), one, board),
            layers=layer_costs(layers, work, latencies, board.picojoules_per_synop),
            clock_mhz=board.clock_mhz,
            frames_per_call=self.frames_per_call,
        )

    def clocks(self, layers: Sequence[LayerReport], mapping: MappingReport, target: str) -> PipelineClocks:
        """Clocks of a program for an image on its own and in a stream; arguments as in `estimate`."""
        each = [self._layer_clocks(layer) for layer in _work(layers) if layer is not None]
        load = None
        if mapping.passes > 1:
            load = self.program_clocks_per_byte.times(mapping.program_bytes)
        return pipeline_clocks(each, load, self.board(target).spread)

    def wall_ms(self, clocks: PipelineClocks, board: Board, images: int, image_bytes: int) -> Range | None:
        """Milliseconds per image of a call of `images`, with the host; None where nothing is known of it."""
        host = board.host_ms(images, image_bytes)
        return None if host is None else _ms(clocks.of_call(images), board).plus(host).times(1 / images)

    def _ways(
        self, clocks: PipelineClocks, dynamic: Range, board: Board, image_bytes: int
    ) -> dict[str, Figures]:
        stream = "Slowest two neighbouring layers: from one image of a stream to the next, core only."
        ways = {"stream": self._figures(clocks.period, dynamic, board, _CORE, f"{stream} {board.origin}")}
        for name, images in (("wall", 1), ("wall_stream", self.frames_per_call)):
            wall = self.wall_ms(clocks, board, images, image_bytes)
            if wall is not None:
                source = f"Core clocks and the host's share, per image of a call of {images}. {board.origin}"
                ways[name] = _at(wall, dynamic, board, "on the wall", source)
        return ways

    def _figures(
        self, clocks: Range, dynamic: Range, board: Board, time: str, latency_source: str
    ) -> Figures:
        return _at(_ms(clocks, board), dynamic, board, time, latency_source)

    def _latency_source(self, work: Sequence[LayerWork], mapping: MappingReport, board: Board) -> str:
        used = sorted({layer.family for layer in work}, key=FAMILIES.index)
        return (
            "First-order model: sum over layers of event MACs / (NPs x rate x clock), one image on its own,"
            f" core only (host and bus left out); clock {board.clock_mhz:g} MHz; MACs per NP and clock:"
            f" {', '.join(f'{name} {self.rates[name]}' for name in used)}."
            " Low: all layers overlapping (stream of images). High: slowest rates, no overlap."
            f"{_passes_note(mapping)} {board.origin}"
        )

    def _layer_clocks(self, layer: LayerWork) -> Range:
        rate, share = self.rates[layer.family], layer.event_macs / layer.nps
        return Range(share / rate.value, share / rate.high, share / rate.low)


_CORE = "in the core"


def _ms(clocks: Range, board: Board) -> Range:
    return clocks.times(1 / (board.clock_mhz * 1e3))


def _at(latency_ms: Range, dynamic_mj: Range, board: Board, time: str, source: str) -> Figures:
    """Energy of the floor for as long as an image takes, and of its events."""
    floor, event = board.floor_power_mw, board.picojoules_per_synop
    energy = floor.by(latency_ms).times(1e-3).plus(dynamic_mj)
    return Figures(
        latency_ms.modelled(source),
        energy.modelled(
            f"First-order model: floor power x time {time} + energy per synop x synops; floor {floor} mW,"
            f" {event} pJ per synop, so {dynamic_mj.value:.3g} mJ above the floor. The floor is the idle"
            f" board, paid for the latency modelled here. {board.origin}"
        ),
    )


def _require_images(layers: Sequence[LayerReport]) -> None:
    """Refuse layers whose sparsity is not a number: the mean over no image."""
    blind = [
        layer.name for layer in layers if not math.isfinite(layer.input_sparsity + layer.output_sparsity)
    ]
    if blind:
        raise QanaError(
            f"the sparsity of layers {listed(blind)} is not known: they saw no image",
            where="conversion.compared_images, dataset",
            allowed="at least one test image",
            fix="give the test split an image, and conversion.compared_images at least 1",
        )


def _work(layers: Sequence[LayerReport]) -> list[LayerWork | None]:
    """Work of every layer that has MACs; the others (add, concatenate, dequantize) take no time here."""
    unknown = [
        f"{layer.name} ({layer.kind})" for layer in layers if layer.macs and layer.kind not in FAMILY_OF_KIND
    ]
    if unknown or not any(layer.macs for layer in layers):
        raise QanaError(
            f"the cost model has no rate for layers {listed(unknown)}" if unknown else "no layer has MACs",
            where="evaluation.cost",
            allowed=listed(sorted(FAMILY_OF_KIND)),
            fix="add the layer type to qana.evaluation.layer_work.FAMILY_OF_KIND with a measured rate",
        )
    shapes = [layer.output_shape for layer in layers]
    inputs = [shapes[0], *shapes[:-1]]
    return [
        layer_work(layer, shape) if layer.macs else None for layer, shape in zip(layers, inputs, strict=True)
    ]


def _passes_note(mapping: MappingReport) -> str:
    return f" Includes loading the program in {mapping.passes} passes." if mapping.passes > 1 else ""
