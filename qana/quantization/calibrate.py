"""Give every activation the range [0, 1): choose where to clip on real images, fold the factor into weights.

A bounded ReLU is positively homogeneous, clip(x, b) = b * clip(x / b, 1). So a layer's weights can be
divided by the best clipping value, whatever it is, and the next layer's multiplied by it: the chip's steps
stay powers of two while the ranges are free. The bound must not fall below 1 either, because quantizeml
never gives an activation more fractional bits than it has bits (``clamp`` in ``fixed_point.py``).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from qana.backbone.ghost import GhostModule
from qana.backbone.network import Network
from qana.backbone.unit import ConvUnit, SeparableUnit, Unit
from qana.quantization.clipping import Clipping

UNIT_BOUND = 1.0


@torch.no_grad()
def calibrate(folded: Network, images: Tensor, *, clipping: Clipping) -> None:
    """Rescale `folded` in place so that every activation is bounded at 1, clipped where `clipping` says.

    Args:
        folded: folded network; its outputs change only where values are clipped.
        images: (N, 3, H, W), float holding 0 to 255.
        clipping: where, given what a layer says to `images`.
    """
    x = images
    blocks = list(folded.eval().blocks)
    for block, consumer in zip(blocks, [*blocks[1:], None], strict=True):
        if isinstance(block, GhostModule):
            y = _calibrate_unit(block.primary, x, clipping)
            _scale_input(block.cheap, y.factor)
            z = _calibrate_unit(block.cheap, y.output, clipping)
            factor, x = torch.cat((y.factor, z.factor)), torch.cat((y.output, z.output), 1)
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
    clip = clipping(_before_pool(unit, x))
    conv = unit.weighted()[-1]
    assert conv.bias is not None
    conv.weight.div_(clip)
    conv.bias.div_(clip)
    unit.relu.bound = UNIT_BOUND
    return _Scaled(unit(x), torch.full((unit.out_channels,), clip))


def _before_pool(unit: Unit, x: Tensor) -> Tensor:
    """What leaves the ReLU, ahead of a global pool that follows it."""
    pool = unit.pool
    unit.pool = "none" if pool == "global_after_relu" else pool
    output = unit(x)
    unit.pool = pool
    return output


def _scale_input(consumer: nn.Module, factor: Tensor) -> None:
    """Multiply the weights that read each input channel by `factor` (C,)."""
    if isinstance(consumer, GhostModule):
        return _scale_input(consumer.primary, factor)
    assert isinstance(consumer, Unit)
    conv = consumer.weighted()[-1]
    if isinstance(consumer, SeparableUnit) and consumer.ghost:
        factor = factor.repeat(2)  # [x, depthwise(x)]
    depthwise = isinstance(consumer, ConvUnit) and conv.groups > 1
    conv.weight.mul_(factor.view(-1, 1, 1, 1) if depthwise else factor.view(1, -1, 1, 1))
