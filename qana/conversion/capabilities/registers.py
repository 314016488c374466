"""How far the activation steps of Akida v1 are from their registers, seen from the weights before training.

A step counts potentials per output code: positions x output step / (input step x weight scale). A globally
pooled layer adds all positions before it divides, so its steps grow with the map, and small weights make
them larger still. Training changes the weights, so this is a risk to name, not a reason to refuse:
`qana.conversion.v1_limits` refuses the trained program.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from qana.backbone.network import Network
from qana.backbone.unit import SeparableUnit, Unit
from qana.conversion.capabilities.convolution import Found
from qana.conversion.capabilities.walk import walk
from qana.quantization import fold
from qana.quantization.grid import PIXELS, ActivationGrid, bounded_grid, weight_scale
from qana.quantization.unit import IDENTITY_WEIGHT

# As `qana.conversion.v1_limits.REGISTERS` and `INPUT_REGISTERS`, which cannot be imported without Akida.
STEP_REGISTER = 2**16 - 1
INPUT_STEP_REGISTER = 2**20 - 1
SAFE_BITS = 1.0  # a step within a factor of two of its register is named


def predicted_steps(
    network: Network, image_shape: tuple[int, int, int], *, weight_bits: int, input_bits: int, act_bits: int
) -> list[tuple[str, int, Tensor]]:
    """The activation steps of every v1 layer, at the weights that the network has now.

    Args:
        network: of units with finite bounds.
        image_shape: (H, W, 3).
        weight_bits: of all layers but the first.
        input_bits: weight bits of the first.
        act_bits: of the activations.

    Returns:
        Module path, pooled positions and one step per channel (C,), in network order, logits left out.
    """
    folded = fold(network)
    seen = walk(folded, image_shape)
    grid: ActivationGrid = PIXELS
    steps = []
    units = [(path, module) for path, module in folded.named_modules() if isinstance(module, Unit)]
    for index, (path, unit) in enumerate(units):
        if unit.relu is None:
            continue
        out = bounded_grid(act_bits, unit.relu.bound)
        shape = seen.outputs[unit.weighted()[-1]]
        positions = shape[2] * shape[3] if unit.pool.startswith("global") else 1
        scale = _scale(unit, weight_bits if index else input_bits)
        steps.append((path, int(positions), positions * 2.0 ** (grid.frac_bits - out.frac_bits) / scale))
        grid = out
    return steps


def register_risks(path: str, positions: int, steps: Tensor, *, first: bool) -> Iterator[Found]:
    """A layer whose steps come close to their register, or pass it, at the weights it starts from."""
    register = INPUT_STEP_REGISTER if first else STEP_REGISTER
    close = int((steps >= register * 2.0**-SAFE_BITS).sum())
    if close:
        pooled = f" summed over {positions} positions" if positions > 1 else ""
        yield Found(
            f"an activation step of {float(steps.max()):,.0f}{pooled}, in {close} of {len(steps)} channels "
            f"above half of its register",
            "one more stage before the global pool (at most 16 positions), or fewer input channels",
            f"activation steps below {register}",
        )


def _scale(unit: Unit, bits: int) -> Tensor:
    """(C,), the weight scale of the program per output channel."""
    *first, conv = unit.weighted()
    scale = weight_scale(conv.weight, bits, per_channel=True)
    if not isinstance(unit, SeparableUnit):
        return scale
    depthwise = first[0].weight.flatten()
    if unit.ghost:
        depthwise = torch.cat((depthwise, depthwise.new_tensor([IDENTITY_WEIGHT])))
    return scale * weight_scale(depthwise, bits, per_channel=False)
