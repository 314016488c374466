"""Activation ranges that training moves: one factor per layer, folded into weights when training ends.

A layer bounded at 1 behind weights W / r, read by a layer with weights W' * r, is the layer bounded at r:
clip(x, r) = r * clip(x / r, 1). So the chip's step stays the power of two ``2**-bits`` that it has to be,
while the learned range r is any positive number. Straight-through rounding then gives the gradient of a
learned step size, for an activation y = r * code * 2**-b of a value v before its ReLU:

    dy/dr = (y - v) / r inside, (2**b - 1) / 2**b above the range, 0 below

which is Esser et al. 2020 (LSQ, arXiv:1902.08153, eq. 3) for a step of r / 2**b; without the rounding error
y - v it is Choi et al. 2018 (PACT, arXiv:1805.06085, eq. 3). LSQ's scaling of the gradient is left out: AdamW
divides it away.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from qana.backbone.ghost import GhostModule
from qana.errors import QanaError, listed
from qana.quantization.network import QuantizedNetwork
from qana.quantization.unit import InputRange, LearnedRange, QuantizedUnit


def learn_ranges(network: QuantizedNetwork) -> None:
    """Give every activation of `network` a range of its own to learn, starting where calibration put it.

    Args:
        network: calibrated; its outputs stay as they are.

    Raises:
        QanaError: the network has blocks whose ranges depend on each other; names them.
    """
    unknown = [
        f"blocks.{name} ({type(block).__name__})"
        for name, block in network.blocks.named_children()
        if not isinstance(block, (QuantizedUnit, GhostModule))
    ]
    if unknown:
        raise QanaError(
            f"ranges cannot be learned for {listed(unknown)}",
            where="quantization.ranges = learned",
            allowed="chains of units and ghost modules",
            fix="choose quantization.ranges=calibrated",
        )
    reads: tuple[InputRange, ...] = ()
    for block in network.blocks:
        reads = _of_ghost(block, reads) if isinstance(block, GhostModule) else _of_unit(block, reads)


def _of_unit(unit: nn.Module, reads: tuple[InputRange, ...]) -> tuple[InputRange, ...]:
    assert isinstance(unit, QuantizedUnit)
    unit.input_ranges = reads
    if unit.unit.relu is None:
        return ()
    unit.range = LearnedRange()
    return (InputRange(unit.range, unit.unit.out_channels),)


def _of_ghost(block: GhostModule, reads: tuple[InputRange, ...]) -> tuple[InputRange, ...]:
    primary = _of_unit(block.primary, reads)
    return primary + _of_unit(block.cheap, primary)


def learned_ranges(network: QuantizedNetwork) -> Sequence[Tensor]:
    """The factor of every layer that has one, in network order; 1 where training left the range as it was."""
    with torch.no_grad():
        return [unit.range() for unit in network.units() if unit.range is not None]
