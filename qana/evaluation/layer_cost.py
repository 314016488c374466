"""What one layer of the program adds to latency and energy: a row of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from qana.conversion.product import LayerReport
from qana.evaluation.estimate import Range
from qana.evaluation.layer_work import LayerWork


@dataclass(frozen=True)
class LayerCost:
    """Modelled cost of one layer for one image.

    Attributes:
        name: of the layer.
        kind: Akida layer type.
        nps: neural processors it has; 0 for an input layer outside the mesh.
        events: non-zero values that it sends on, on the test images.
        macs: dense multiply-accumulates.
        macs_done: those whose input is not zero.
        macs_skipped: the others.
        latency_ms: of an image on its own.
        energy_uj: above the floor.
    """

    name: str
    kind: str
    nps: int
    events: float
    macs: int
    macs_done: float
    macs_skipped: float
    latency_ms: Range
    energy_uj: Range

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, shaped as in the report."""
        return asdict(self)


def layer_costs(
    layers: Sequence[LayerReport],
    work: Sequence[LayerWork | None],
    latency_ms: Sequence[Range | None],
    picojoules_per_synop: Range,
) -> tuple[LayerCost, ...]:
    """One row per layer; a layer without weights does no MACs and takes no time of its own.

    Args:
        layers: of the program, input first, with sparsities measured on test images.
        work: of each layer; None for one without MACs.
        latency_ms: of each layer; None likewise.
        picojoules_per_synop: energy above the floor.
    """
    nothing = Range(0.0, 0.0, 0.0)
    rows = []
    for layer, done, time in zip(layers, work, latency_ms, strict=True):
        synops = done.synops if done else 0.0
        rows.append(
            LayerCost(
                name=layer.name,
                kind=layer.kind,
                nps=layer.nps,
                events=elements(layer) * (1 - layer.output_sparsity),
                macs=layer.macs,
                macs_done=synops,
                macs_skipped=layer.macs - synops,
                latency_ms=time or nothing,
                energy_uj=picojoules_per_synop.times(synops * 1e-6),
            )
        )
    return tuple(rows)


def elements(layer: LayerReport) -> int:
    """Values of the layer's output map."""
    x, y, channels = layer.output_shape
    return x * y * channels
