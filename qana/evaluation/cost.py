"""A first-order model of latency and energy on Akida, fitted to published board measurements.

    t_l     = event_macs_l / (nps_l * rate(family_l) * clock)          for every layer l
    latency = sum_l t_l (+ reprogramming, where a network needs more than one pass)
    energy  = floor_power * latency + picojoules_per_synop * synops

where event_macs counts what non-zero inputs set off (`layer_work`) and synops are dense MACs times the
share of non-zero inputs. It was fitted to the AKD1500 measurements of the vendor's model zoo
(github.com/Brainchip-Inc/brainchip_devhub, akida1/model_zoo, commit 541abd9, August 2026), whose
per-layer input sparsities were read off the published plots: AkidaNet 0.25 and 0.5 at 160 and 224 pixels,
a visual-wake-words network and a keyword spotter. The layer rates come from the four AkidaNets in one
mapping. Modelled latency of an image is within 5 % of the boards for these and the visual-wake-words
network in both mappings, and 17 % and 23 % too low for the keyword spotter, which takes 0.1 to 0.3 ms:
below a millisecond expect the true value nearer to the upper bound. Energy above the floor is 23.5 to
24.0 pJ per synop for the AkidaNets, 18.7 and 24 to 30 for the two small networks.
`tests/evaluation/test_cost_against_boards.py` repeats that comparison.

What it leaves out: the host and the bus, input conversion, overlap of layers within one image (the lower
bound covers it), clock gating. It describes one image on its own; a stream of images is faster, because
layers then work on different images at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qana.conversion.product import LayerReport, MappingReport
from qana.errors import QanaError, listed
from qana.evaluation.estimate import Estimate, Range, as_range
from qana.evaluation.layer_work import FAMILY_OF_KIND, LayerWork, layer_work

FAMILIES = ("input", "conv", "pointwise", "separable", "depthwise", "dense")


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
    """

    macs: int
    synops: int
    activation_sparsity: float
    footprint_bytes: int
    latency_ms: Estimate
    energy_mj: Estimate

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, shaped as in the report."""
        return {**vars(self), "latency_ms": self.latency_ms.as_dict(), "energy_mj": self.energy_mj.as_dict()}


class Board:
    """Constants of one chip on its board.

    Args:
        clock_mhz: clock of the neural processors.
        floor_power_mw: [value, low, high] of the idle power.
        picojoules_per_synop: [value, low, high] of the energy above the floor.
        spread: factor, at least 1, by which every bound is widened beyond its constants' own.
        origin: where the constants come from, in words that the report repeats.
    """

    def __init__(
        self,
        *,
        clock_mhz: float,
        floor_power_mw: Sequence[float],
        picojoules_per_synop: Sequence[float],
        spread: float,
        origin: str,
    ) -> None:
        if clock_mhz <= 0 or spread < 1:
            raise QanaError(
                f"board constants clock_mhz {clock_mhz:g} and spread {spread:g} are out of range",
                where=f"evaluation.cost.boards.*.clock_mhz = {clock_mhz:g}, spread = {spread:g}",
                allowed="clock_mhz > 0, spread >= 1",
                fix="correct them in conf/evaluation",
            )
        self.clock_mhz, self.spread, self.origin = clock_mhz, spread, origin
        self.floor_power_mw = as_range(floor_power_mw, "boards.*.floor_power_mw")
        self.picojoules_per_synop = as_range(picojoules_per_synop, "boards.*.picojoules_per_synop")


class AkidaCostModel:
    """Estimates latency and energy of a mapped program for one image.

    Args:
        boards: target name (as in `conversion`) to the constants of its board.
        macs_per_np_clock: layer family to [value, low, high] of event MACs per neural processor and clock.
        program_clocks_per_byte: [value, low, high] of clocks to load one byte of program; counted only
            where the program needs more than one pass per image.
    """

    def __init__(
        self,
        *,
        boards: Mapping[str, Board],
        macs_per_np_clock: Mapping[str, Sequence[float]],
        program_clocks_per_byte: Sequence[float],
    ) -> None:
        if set(macs_per_np_clock) != set(FAMILIES):
            raise QanaError(
                f"rates are given for {listed(sorted(macs_per_np_clock))}",
                where="evaluation.cost.macs_per_np_clock",
                allowed=f"one entry for each of {listed(FAMILIES)}",
                fix="add the missing entries and remove the others",
            )
        self.boards = dict(boards)
        self.rates = {f: as_range(r, f"macs_per_np_clock.{f}") for f, r in macs_per_np_clock.items()}
        self.program_clocks_per_byte = as_range(program_clocks_per_byte, "program_clocks_per_byte")

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

    def estimate(self, layers: Sequence[LayerReport], mapping: MappingReport, target: str) -> Cost:
        """Estimate what one image costs.

        Args:
            layers: one report per layer, in program order, with sparsities measured on test images.
            mapping: how the program sits on the device.
            target: target name; selects the board.

        Raises:
            QanaError: no constants for the target, or a layer type with weights that the model lacks.
        """
        board, work = self.board(target), _work(layers)
        latency = self._latency(work, mapping, board)
        synops = sum(layer.synops for layer in work)
        outputs = [_elements(layer) for layer in layers]
        zeros = sum(n * layer.output_sparsity for n, layer in zip(outputs, layers, strict=True))
        return Cost(
            macs=sum(layer.macs for layer in layers),
            synops=round(synops),
            activation_sparsity=zeros / sum(outputs),
            footprint_bytes=sum(layer.weight_bytes for layer in layers),
            latency_ms=latency,
            energy_mj=_energy(latency, synops, board),
        )

    def _latency(self, work: Sequence[LayerWork], mapping: MappingReport, board: Board) -> Estimate:
        layers = [self._layer_clocks(layer) for layer in work]
        load = _reprogramming_clocks(mapping, self.program_clocks_per_byte)
        clocks = Range(
            value=sum(c.value for c in layers) + load.value,
            # Layers can at best overlap completely, so the slowest one bounds the rate from below.
            low=max(c.low for c in layers) / board.spread + load.low,
            high=sum(c.high for c in layers) * board.spread + load.high,
        )
        per_ms = board.clock_mhz * 1e3
        used = sorted({layer.family for layer in work}, key=FAMILIES.index)
        source = (
            "First-order model: sum over layers of event MACs / (NPs x rate x clock), one image on its own,"
            f" core only (host and bus left out); clock {board.clock_mhz:g} MHz; MACs per NP and clock:"
            f" {', '.join(f'{name} {self.rates[name]}' for name in used)}."
            " Low: all layers overlapping (stream of images). High: slowest rates, no overlap."
            f"{_passes_note(mapping)} {board.origin}"
        )
        ms = Range(clocks.value / per_ms, clocks.low / per_ms, clocks.high / per_ms)
        return Estimate(ms.value, ms.low, ms.high, "modelled", source)

    def _layer_clocks(self, layer: LayerWork) -> Range:
        rate, share = self.rates[layer.family], layer.event_macs / layer.nps
        return Range(share / rate.value, share / rate.high, share / rate.low)


def _elements(layer: LayerReport) -> int:
    x, y, channels = layer.output_shape
    return x * y * channels


def _work(layers: Sequence[LayerReport]) -> list[LayerWork]:
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
    return [layer_work(layer, shape) for layer, shape in zip(layers, inputs, strict=True) if layer.macs]


def _reprogramming_clocks(mapping: MappingReport, per_byte: Range) -> Range:
    loaded = mapping.program_bytes if mapping.passes > 1 else 0
    return Range(loaded * per_byte.value, loaded * per_byte.low, loaded * per_byte.high)


def _passes_note(mapping: MappingReport) -> str:
    return f" Includes loading the program in {mapping.passes} passes." if mapping.passes > 1 else ""


def _energy(latency: Estimate, synops: float, board: Board) -> Estimate:
    floor, event = board.floor_power_mw, board.picojoules_per_synop
    above_floor = synops * 1e-9  # pJ to mJ
    source = (
        "First-order model: floor power x latency + energy per synop x synops;"
        f" floor {floor} mW, {event} pJ per synop, {synops:.4g} synops,"
        f" so {event.value * above_floor:.3g} mJ above the floor. The floor is the idle board,"
        f" paid for the latency modelled here. {board.origin}"
    )
    return Estimate(
        value=floor.value * latency.value / 1e3 + event.value * above_floor,
        low=floor.low * latency.low / 1e3 + event.low * above_floor / board.spread,
        high=floor.high * latency.high / 1e3 + event.high * above_floor * board.spread,
        provenance="modelled",
        source=source,
    )
