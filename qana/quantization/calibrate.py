"""Give every activation the range [0, 1): choose where to clip on real images, fold the factor into weights.

A bounded ReLU is positively homogeneous, clip(x, b) = b * clip(x / b, 1). So a layer's weights can be
divided by the best clipping value, whatever it is, and the next layer's multiplied by it: the chip's steps
stay powers of two while the ranges are free. A bound that was learned is kept instead. The bound must not
fall below 1 either, because quantizeml never gives an activation more fractional bits than it has bits
(``clamp`` in ``fixed_point.py``).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from qana.backbone.bounded_relu import BoundedReLU
from qana.backbone.ghost import GhostModule
from qana.backbone.learned_bound import LearnedBoundReLU
from qana.backbone.network import Network
from qana.backbone.residual import ResidualBlock
from qana.backbone.unit import ConvUnit, SeparableUnit, Unit
from qana.quantization.clipping import SAMPLES_PER_LAYER, Clipping, quantization_error
from qana.quantization.sum import SUM_BITS

UNIT_BOUND = 1.0


@torch.no_grad()
def calibrate(folded: Network, images: Tensor, *, clipping: Clipping) -> None:
    """Rescale `folded` in place so that every activation is bounded at 1, clipped where `clipping` says.

    Behind a sum, and in the branch that it adds, the bound is a power of two of at least 1.

    Args:
        folded: folded network; its outputs change only where values are clipped.
        images: (N, 3, H, W), float holding 0 to 255.
        clipping: where, given what a layer says to `images`.
    """
    x, factor = images, torch.ones(images.shape[1])
    blocks = list(folded.eval().blocks)
    for block, consumer in zip(blocks, [*blocks[1:], None], strict=True):
        if isinstance(block, GhostModule):
            y = _calibrate_unit(block.primary, x, clipping)
            _scale_input(block.cheap, y.factor)
            z = _calibrate_unit(block.cheap, y.output, clipping)
            factor, x = torch.cat((y.factor, z.factor)), torch.cat((y.output, z.output), 1)
        elif isinstance(block, ResidualBlock):
            scaled = _calibrate_residual(block, x, factor, clipping)
            factor, x = scaled.factor, scaled.output
        else:
            assert isinstance(block, Unit)
            scaled = _calibrate_unit(block, x, clipping)
            factor, x = scaled.factor, scaled.output
        if consumer is not None:
            _scale_input(consumer, factor)


class _Scaled:
    """A unit's output after rescaling, and per channel what its consumer has to multiply by."""

    def __init__(self, output: Tensor, factor: Tensor) -> None:
        self.output, self.factor = output, factor


def _calibrate_unit(unit: Unit, x: Tensor, clipping: Clipping) -> _Scaled:
    if unit.relu is None:
        return _Scaled(unit(x), torch.ones(unit.out_channels))
    learned = isinstance(unit.relu, LearnedBoundReLU)
    clip = unit.relu.bound if learned else clipping(_before_pool(unit, x))
    conv = unit.weighted()[-1]
    assert conv.bias is not None
    conv.weight.div_(clip)
    conv.bias.div_(clip)
    # Only what is known to be the same: a ReLU from elsewhere stays, so that what it computes is compared.
    if learned:
        unit.relu = BoundedReLU(UNIT_BOUND)
    else:
        unit.relu.bound = UNIT_BOUND
    return _Scaled(unit(x), torch.full((unit.out_channels,), clip))


def _calibrate_residual(block: ResidualBlock, x: Tensor, factor: Tensor, clipping: Clipping) -> _Scaled:
    """Both ways in the units of the shortcut, because the chip aligns them by shifting alone.

    What the branch and the sum are clipped at is then that unit times a power of two, at least 1.
    """
    around = x
    if isinstance(block.shortcut, Unit):
        scaled = _calibrate_unit(block.shortcut, x, clipping)
        factor, around = scaled.factor, scaled.output
    *first, last = block.branch
    through = x
    for unit, consumer in zip(first, list(block.branch)[1:], strict=True):
        assert isinstance(unit, Unit)
        scaled = _calibrate_unit(unit, through, clipping)
        _scale_input(consumer, scaled.factor)
        through = scaled.output
    assert isinstance(last, Unit)
    assert last.relu is not None
    unit_of_sum = factor.view(1, -1, 1, 1)
    branch = last(through) / unit_of_sum
    _divide_output(last, factor)
    last.relu.bound = best_power_of_two(branch, clipping.value_bits)
    bounded = torch.minimum(around + branch, block.sum.bound / unit_of_sum)
    block.sum.bound = best_power_of_two(bounded, SUM_BITS)
    return _Scaled(block.sum(around, last(through)), factor)


def _divide_output(unit: Unit, factor: Tensor) -> None:
    """Divide the weights that write each output channel by `factor` (C,)."""
    conv = unit.weighted()[-1]
    assert conv.bias is not None
    conv.weight.div_(factor.view(-1, 1, 1, 1))
    conv.bias.div_(factor)


def _before_pool(unit: Unit, x: Tensor) -> Tensor:
    """What leaves the ReLU, ahead of a global pool that follows it."""
    pool = unit.pool
    unit.pool = "none" if pool == "global_after_relu" else pool
    output = unit(x)
    unit.pool = pool
    return output


def best_power_of_two(values: Tensor, value_bits: int) -> float:
    """As `best_clip`, among 1, 2, 4, ... up to the largest value.

    Example:
        >>> best_power_of_two(torch.tensor([0.5, 3.0]), value_bits=7)
        4.0
    """
    flat = values.flatten()
    flat = flat[:: max(1, flat.numel() // SAMPLES_PER_LAYER)]
    largest = max(float(flat.max()), UNIT_BOUND)
    bounds = [2.0**exponent for exponent in range(math.ceil(math.log2(largest)) + 1)]
    errors = [quantization_error(flat, bound, value_bits) for bound in bounds]
    return bounds[errors.index(min(errors))]


def _scale_input(consumer: nn.Module, factor: Tensor) -> None:
    """Multiply the weights that read each input channel by `factor` (C,)."""
    if isinstance(consumer, GhostModule):
        return _scale_input(consumer.primary, factor)
    if isinstance(consumer, ResidualBlock):
        _scale_input(consumer.branch[0], factor)
        return _scale_input(consumer.shortcut, factor) if isinstance(consumer.shortcut, Unit) else None
    assert isinstance(consumer, Unit)
    conv = consumer.weighted()[-1]
    if isinstance(consumer, SeparableUnit) and consumer.ghost:
        factor = factor.repeat(2)  # [x, depthwise(x)]
    depthwise = isinstance(consumer, ConvUnit) and conv.groups > 1
    conv.weight.mul_(factor.view(-1, 1, 1, 1) if depthwise else factor.view(1, -1, 1, 1))
