"""Every layer of the program beside its torch unit: errors, dead and saturated outputs, headroom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qana.conversion.acceptance.headroom import Register
from qana.conversion.acceptance.trained_answers import TrainedAnswers
from qana.conversion.deploy import PlannedLayer
from qana.conversion.product import LayerReport


def layer_reports(
    trained: TrainedAnswers,
    plan: Sequence[PlannedLayer],
    images: NDArray[np.uint8],
    *,
    descriptions: Sequence[Mapping[str, Any]],
    codes: Mapping[str, NDArray[Any]],
    nps: Mapping[str, int],
) -> tuple[LayerReport, ...]:
    """Report every layer of the program, input first.

    Args:
        trained: what the network says.
        plan: one entry per layer with weights.
        images: (N, H, W, 3) uint8, on which both codes were taken.
        descriptions: of the program's layers, from `akida_layers.describe_layer`.
        codes: layer name to (N, H', W', C) integers, from `akida_layers.layer_outputs`.
        nps: layer name to neural processors.
    """
    entries = {entry.name: entry for entry in plan}
    reports, sparsities = [], {name: _zero_share(output) for name, output in codes.items()}
    for description in descriptions:
        name = description["name"]
        output = codes.get(name)
        reports.append(
            LayerReport(
                name=name,
                kind=description["kind"],
                output_shape=tuple(description["output_shape"]),
                macs=description["macs"],
                weight_bytes=description["weight_bytes"],
                nps=nps.get(name, 0),
                input_sparsity=read_sparsity(description["reads"], sparsities, images),
                output_sparsity=sparsities.get(name, 0.0),
                max_error_lsb=max_error_lsb(trained.codes.get(name), output),
                saturated_share=_saturated_share(entries.get(name), output),
                dead_share=_dead_share(output),
                headroom_bits=_headroom_bits(trained.loads.get(name, {})),
            )
        )
    return tuple(reports)


def max_error_lsb(trained: NDArray[Any] | None, output: NDArray[Any] | None) -> float | None:
    """Largest |torch - akida| in steps; infinite where even the shapes differ, None where one is missing."""
    if trained is None or output is None:
        return None
    if trained.shape != output.shape:
        return float("inf")
    return float(np.abs(trained.astype(np.int32) - output.astype(np.int32)).max())


def read_sparsity(reads: Sequence[str], sparsities: Mapping[str, float], images: NDArray[np.uint8]) -> float:
    """Share of zeros in what a layer reads: the image, one map, or several of one size.

    Args:
        reads: names of the layers in front of it; none for the first.
        sparsities: layer name to the share of zeros in its output.
        images: (N, H, W, 3).
    """
    shares = [sparsities.get(name, 0.0) for name in reads]
    return sum(shares) / len(shares) if shares else _zero_share(images)


def _zero_share(values: NDArray[Any]) -> float:
    return float((values == 0).mean())


def _dead_share(output: NDArray[Any] | None) -> float | None:
    """Share of channels that are zero everywhere on every image."""
    return None if output is None else float((output == 0).all(axis=(0, 1, 2)).mean())


def _saturated_share(entry: PlannedLayer | None, output: NDArray[Any] | None) -> float | None:
    if entry is None or output is None or entry.output_bits is None:
        return None
    if entry.output_bits == 1:
        return None  # the top of the range is half of it: nothing was cut off
    largest = 2 ** (entry.output_bits - bool(entry.output_signed)) - 1
    return float((output == largest).mean())


def _headroom_bits(loads: Mapping[Register, float]) -> float | None:
    return min((register.headroom_bits(largest) for register, largest in loads.items()), default=None)
