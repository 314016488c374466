"""How many neural processors a network takes at least, from its shapes alone.

A layer is split where its map or its filters do not fit one processor. The mapper often splits further, so
this is a lower bound: what it refuses never fits, what it passes may still not (`qana check` maps it).
"""

from __future__ import annotations

import math

import torch
from torch import nn

from qana.conversion.capabilities.devices import Processor
from qana.conversion.capabilities.table import Kind


def fewest_nps(
    kind: Kind,
    convolutions: list[nn.Conv2d],
    shape: torch.Size,
    *,
    processor: Processor,
    weight_bits: int,
    activation_bits: int,
    copies_in: int = 1,
    copies_out: int = 1,
) -> int:
    """Processors that a layer takes at least; 0 for the first, which has hardware of its own.

    Args:
        kind: of the layer.
        convolutions: whose weights it holds.
        shape: of the map that it reads, (1, C, H, W).
        processor: what one holds.
        weight_bits: of a weight.
        activation_bits: of a value of the map.
        copies_in: how often every input channel is there.
        copies_out: how often every filter is there.
    """
    if kind in ("stem", "dense"):
        return int(kind == "dense")
    height, width = int(shape[2]), int(shape[3])
    map_bytes = height * width * int(shape[1]) * copies_in * activation_bits / 8
    spatial = max(
        math.ceil(width / processor.width) * math.ceil(height / processor.height),
        math.ceil(map_bytes / processor.input_bytes),
    )
    weights = sum(
        conv.weight.numel() * (copies_in if conv.groups > 1 else copies_out) for conv in convolutions
    )
    filters = convolutions[-1].out_channels * copies_out
    by_filters = max(
        math.ceil(filters / processor.filters),
        math.ceil(weights * weight_bits / 8 / processor.weight_bytes),
    )
    # A depthwise layer reads only the channels that it filters, so its parts need not hold the whole map.
    return max(spatial, by_filters) if kind == "depthwise" else spatial * by_filters
