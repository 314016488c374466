"""Does a network of somebody else's still compute the same once it is rewritten for the chip?

Quantization and export read what a unit declares (its convolutions, pool and bound) and compute from that,
whatever its own `forward` does. A unit of a subclass that pads otherwise, or adds an operation, would become
another network without a word. So every block answers here, as written and as rewritten.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from qana.backbone.bounded_sum import BoundedSum
from qana.conversion.deploy import deploy
from qana.errors import QanaError, listed
from qana.quantization.network import QuantizedNetwork
from qana.quantization.sum import QuantizedSum
from qana.quantization.unit import QuantizedUnit

FINE_BITS = 24  # of a weight: its rounding is lost in that of float32
# Of the block's largest output. Another padding or operation moves it by a hundred times that.
TOLERANCE = 1e-3


@torch.no_grad()
def require_same_function(quantized: QuantizedNetwork, pixels: Tensor) -> None:
    """Refuse a network of which quantization or export would make another one.

    Args:
        quantized: as `Quantization.apply` gave it, weights not snapped to their grids yet; left as it is.
        pixels: (N, 3, H, W), float holding 0 to 255.

    Raises:
        QanaError: names every block that answers otherwise.
    """
    changed = list(_changed_blocks(quantized, pixels))
    if changed:
        raise QanaError(
            f"{len(changed)} block(s) compute something that the chip would not: {listed(changed)}",
            where="backbone",
            allowed="units, GhostModule and ResidualBlock, computing what they declare",
            fix="use these units as they are: padding, operations and order are what their arguments say",
        )


def _changed_blocks(quantized: QuantizedNetwork, pixels: Tensor) -> Iterator[str]:
    """Each block answers the true output of the blocks before it, so that only those at fault differ."""
    rewritten, copies = _rewritten(quantized)
    x = pixels
    for index, block in enumerate(_as_written(quantized)):
        y = block(x)
        theirs = rewritten[index](x.repeat(1, copies[index - 1], 1, 1) if index else x)
        theirs = theirs[:, : y.shape[1]]
        if theirs.flatten(1).shape != y.flatten(1).shape:
            yield f"blocks.{index} (gives {tuple(y.shape[1:])}, the chip {tuple(theirs.shape[1:])})"
        else:
            largest, error = float(y.abs().max()), float((y.flatten(1) - theirs.flatten(1)).abs().max())
            if not error <= TOLERANCE * largest:
                yield f"blocks.{index} (off by {error:.2g}, its largest output is {largest:.2g})"
        x = y


def _as_written(quantized: QuantizedNetwork) -> list[nn.Module]:
    """The blocks with the float units that they were made from."""
    blocks = copy.deepcopy(quantized.blocks)
    _restore_units(blocks)
    return list(blocks.eval())


def _restore_units(parent: nn.Module) -> None:
    for name, child in parent.named_children():
        if isinstance(child, QuantizedUnit):
            setattr(parent, name, child.unit)
        elif isinstance(child, QuantizedSum):
            setattr(parent, name, BoundedSum(child.bound))
        else:
            _restore_units(child)


def _rewritten(quantized: QuantizedNetwork) -> tuple[nn.Sequential, list[int]]:
    """The plain network that goes to ONNX, with fine weights, and how often each block repeats its output."""
    fine = copy.deepcopy(quantized)
    for unit in fine.units():
        unit.bits = dataclasses.replace(unit.bits, weight=FINE_BITS)
    deployed, plan = deploy(fine)
    copies = {int(entry.module.split(".")[1]): entry.copies for entry in plan}
    return deployed, [copies[index] for index in range(len(deployed))]
