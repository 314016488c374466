"""Read a mapped program: where every layer sits, what it takes, and what to shrink.

Runs in child processes only. Source: ``layer.mapping``, ``sequence.passes`` and ``mem_info`` of akida 2.19.3.
"""

from __future__ import annotations

import math
import re
from typing import Any

import akida

OUTSIDE = (akida.NP.Type.HRC, akida.NP.Type.SKIP_DMA_LOAD, akida.NP.Type.SKIP_DMA_STORE)
MOST_ADVICE = 3  # layers worth naming


def describe_mapping(program: akida.Model, name: str) -> dict[str, Any]:
    """Everything that `qana.conversion.product.MappingReport` says of a mapped program, ready for JSON.

    Args:
        program: mapped.
        name: of the device.
    """
    sequences = program.sequences
    nps = {layer.name: len(processors(layer)) for layer in program.layers}
    return {
        "device": name,
        "sequences": len(sequences),
        "passes": sum(len(sequence.passes) for sequence in sequences),
        "nps": nps,
        "nps_by_layer": nps,
        "nps_available": len(program.device.mesh.nps),
        "components": {layer.name: components(layer) for layer in program.layers if layer.mapping},
        "program_bytes": sum(len(sequence.program) for sequence in sequences if sequence.program is not None),
        "sram_bytes": sram_bytes(program),
        "external_memory_bytes": int(program.external_memory_size),
        "hardware_only": all(sequence.backend == akida.BackendType.Hardware for sequence in sequences),
    }


def processors(layer: akida.Layer) -> list[Any]:
    """The neural processors of a layer; the first layer's own hardware (HRC) is none."""
    return [part for part in layer.mapping.nps if part.type not in OUTSIDE] if layer.mapping else []


def input_size(layer: akida.Layer) -> tuple[int, int, int]:
    """(W, H, C) of the map that a layer reads; of the first one, where it reads several."""
    sizes = layer.input_dims
    width, height, channels = sizes[0] if isinstance(sizes[0], list | tuple) else sizes
    return int(width), int(height), int(channels)


def components(layer: akida.Layer) -> str:
    """What a mapped layer runs on, such as ``CNP1`` or ``CNP1, SKIP_DMA_STORE``."""
    mapping = layer.mapping
    parts = [*mapping.nps, *mapping.skipdma_stores, *mapping.skipdma_loads]
    return ", ".join(dict.fromkeys(part.type.name for part in parts))


def sram_bytes(program: akida.Model) -> int:
    """On-chip memory in use at once: maps and weights of all processors, in the pass that takes most.

    The SDK counts a map over its full width in every processor, also where each holds a strip of it; here a
    strip counts as what it is. A second input buffer, where there is one, is not counted.
    """
    passes = [each for sequence in program.sequences for each in sequence.passes]
    return max((sum(_layer_bytes(layer) for layer in each.layers) for each in passes), default=0)


def _layer_bytes(layer: akida.Layer) -> int:
    width = max(input_size(layer)[0], 1)
    total = 0.0
    for part in processors(layer):
        shape = getattr(part.spatial_partition, "shape", None)
        share = int(shape[0]) / width if shape else 1.0
        total += part.mem_info.input_size * min(share, 1.0) + part.mem_info.weight_size
    return math.ceil(total)


def needed_nps(amply: akida.Model) -> int:
    """Neural processors that a program takes at least, from `qana.conversion.device.mapped_amply`."""
    return sum(len(processors(layer)) for layer in amply.layers)


def needed_skip_channels(amply: akida.Model) -> int:
    """Channels of the skip DMA that a program takes: one for every map that waits to be merged."""
    return sum(len(layer.mapping.skipdma_stores) for layer in amply.layers if layer.mapping)


def skip_channels(device: akida.Device) -> int:
    """Maps that can wait at a time; the SDK tells it in the text of each DMA alone."""
    told = (re.search(r"num_channels=(\d+)", repr(dma)) for dma in device.mesh.skip_dmas)
    return sum(int(found.group(1)) for found in told if found)


def advise(amply: akida.Model | None, device: akida.Device, *, passes: int) -> list[str]:
    """What to shrink so that a program fits one pass; nothing where it does.

    Args:
        amply: the program with as few processors as it can do with, where it could be mapped so.
        device: the program is mapped on.
        passes: it takes there.
    """
    if passes <= 1:
        return []
    again = f"the device is programmed {passes} times for every image"
    if amply is None:
        return [f"{again}: one pass does not fit"]
    needed, available = needed_nps(amply), len(device.mesh.nps)
    if needed > available:
        short = f"one pass needs {needed} neural processors, the device has {available}"
        return [f"{again}: {short}", *shrink(amply)]
    needed, available = needed_skip_channels(amply), skip_channels(device)
    if needed > available:
        short = f"one pass needs {needed} skip channels, the device has {available}"
        return [f"{again}: {short}", "fewer concatenations and additions, or conversion.device=minimal"]
    return [f"{again}: its processors would do for one pass, but the mapper did not find it"]


def shrink(amply: akida.Model) -> list[str]:
    """The layers that take most processors, and why; or that there are too many layers."""
    layers = [layer for layer in amply.layers if processors(layer)]
    largest = sorted(layers, key=lambda layer: -len(processors(layer)))[:MOST_ADVICE]
    split = [_shrink(layer) for layer in largest if len(processors(layer)) > 1]
    return split or [f"every layer takes one processor: fewer than {len(layers)} layers, or a larger device"]


def _shrink(layer: akida.Layer) -> str:
    parts = processors(layer)
    strips = len({(part.spatial_partition.x, part.spatial_partition.y) for part in parts})
    groups = len({part.start_neuron for part in parts})
    width, height, channels = input_size(layer)
    reasons = []
    if strips > 1:
        reasons.append(f"its map of {height}x{width}x{channels} is cut into {strips}: smaller or narrower")
    if groups > 1:
        filters = int(layer.output_dims[2])
        reasons.append(f"its {filters} filters are spread over {groups} processors: fewer filters or inputs")
    return f"{layer.name} takes {len(parts)} processors; " + "; ".join(reasons or ["make it narrower"])
