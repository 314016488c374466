"""Between which values a linear output of a float network lies: for every input, or on some images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from qana.backbone.ghost import GhostModule
from qana.backbone.network import Network
from qana.backbone.unit import SeparableUnit, Unit

LARGEST_PIXEL = 255.0
BATCH = 64


@dataclass(frozen=True)
class ValueRange:
    """Smallest and largest value of each channel.

    Attributes:
        low: (C,), at most 0.
        high: (C,), at least 0.
    """

    low: Tensor
    high: Tensor

    def joined(self, other: ValueRange) -> ValueRange:
        """The smallest range that holds both."""
        return ValueRange(torch.minimum(self.low, other.low), torch.maximum(self.high, other.high))


Ranges = dict[nn.Module, ValueRange]


@torch.no_grad()
def exact_ranges(network: Network) -> Ranges:
    """Ranges that no image of 8-bit pixels leaves, by interval arithmetic.

    Args:
        network: folded.

    Returns:
        The depthwise convolution of every separable unit, and every unit (its linear part), to its range.
    """
    ranges: Ranges = {}
    largest = LARGEST_PIXEL
    for block in network.blocks:
        units = [block.primary, block.cheap] if isinstance(block, GhostModule) else [block]
        for unit in units:
            if isinstance(unit, Unit):
                largest = _exact_unit(unit, largest, ranges)
    return ranges


@torch.no_grad()
def observed_ranges(network: Network, images: Tensor) -> Ranges:
    """The same ranges as seen on some images.

    Args:
        network: folded.
        images: (N, 3, H, W), float holding 0 to 255.
    """
    ranges: Ranges = {}

    def keep(owner: nn.Module) -> Callable[[nn.Module, object, Tensor], None]:
        def hook(module: nn.Module, _: object, output: Tensor) -> None:
            low, high = output.amin((0, 2, 3)).clamp(max=0), output.amax((0, 2, 3)).clamp(min=0)
            seen = ValueRange(low, high)
            ranges[owner] = ranges[owner].joined(seen) if owner in ranges else seen

        return hook

    # A folded norm is an identity behind the linear part.
    watched = {unit: unit.norm for unit in network.modules() if isinstance(unit, Unit)}
    hooks = [module.register_forward_hook(keep(unit)) for unit, module in watched.items()]
    separable = [unit for unit in watched if isinstance(unit, SeparableUnit)]
    hooks += [unit.depthwise.register_forward_hook(keep(unit.depthwise)) for unit in separable]
    for batch in images.split(BATCH):
        network.eval()(batch)
    for each in hooks:
        each.remove()
    return ranges


def _exact_unit(unit: Unit, largest: float, ranges: Ranges) -> float:
    """Enter the ranges of a unit whose input lies in 0 to `largest`; gives the bound of its output."""
    *first, conv = unit.weighted()
    channels = conv.in_channels if conv.groups == 1 else conv.out_channels
    given = ValueRange(torch.zeros(channels), torch.full((channels,), largest))
    if isinstance(unit, SeparableUnit):
        passed = ValueRange(torch.zeros(len(first[0].weight)), torch.full((len(first[0].weight),), largest))
        cheap = ranges[unit.depthwise] = _through(first[0], passed)
        given = cheap
        if unit.ghost:
            given = ValueRange(torch.cat((passed.low, cheap.low)), torch.cat((passed.high, cheap.high)))
    ranges[unit] = _through(conv, given)
    return unit.relu.bound if unit.relu is not None else largest


def _through(conv: nn.Conv2d, given: ValueRange) -> ValueRange:
    """Range behind a convolution; the zeros of its padding are inside every range."""
    weight = conv.weight.double()
    low, high = given.low.double(), given.high.double()
    if conv.groups > 1:
        low, high = low.view(-1, 1, 1, 1), high.view(-1, 1, 1, 1)
    else:
        low, high = low.view(1, -1, 1, 1), high.view(1, -1, 1, 1)
    positive, negative = weight.clamp(min=0), weight.clamp(max=0)
    bias = conv.bias.double() if conv.bias is not None else torch.zeros(len(weight), dtype=torch.float64)
    smallest = (positive * low + negative * high).sum((1, 2, 3)) + bias
    largest = (positive * high + negative * low).sum((1, 2, 3)) + bias
    return ValueRange(smallest.clamp(max=0).float(), largest.clamp(min=0).float())
