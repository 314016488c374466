"""Blocks of Akida v2 in the layers of v1, where these compute exactly the same: one layer behind the other.

linear ghost, 1x1     [y, d(y)] and a 1x1 convolution are one separable unit that sees ``[y, d(y)]``
x + g(x)              x passes through every layer of g beside it, and a 1x1 convolution adds the two
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from qana.backbone.ghost import GhostModule
from qana.backbone.residual import ResidualBlock
from qana.backbone.unit import ConvUnit, SeparableUnit, Unit


class NoSuchFormError(Exception):
    """A block that the other generation has no layers for."""


def fused_ghost(ghost: GhostModule, consumer: nn.Module) -> SeparableUnit:
    """What follows the primary of a ghost module without cheap activation: its cheap half and the next layer.

    W [y, d(y) + c] = W [y, d(y)] + W c', with c' zero where y stands.

    Args:
        ghost: folded; its cheap branch has no activation.
        consumer: what reads it, a 1x1 convolution.

    Raises:
        NoSuchFormError: something else reads it.
    """
    plain = isinstance(consumer, ConvUnit) and (consumer.conv.kernel_size, consumer.conv.stride) == (
        (1, 1),
        (1, 1),
    )
    if not isinstance(consumer, ConvUnit) or not plain or consumer.relu is None:
        raise NoSuchFormError("a ghost module without cheap activation in front of anything but a 1x1 unit")
    cheap = ghost.cheap
    half = cheap.out_channels
    unit = SeparableUnit(
        half, consumer.out_channels, ghost=True, pool=consumer.pool, bound=consumer.relu.bound
    )
    weight, bias = _folded(consumer)
    kernels, shift = _folded(cheap)
    unit.depthwise.weight = nn.Parameter(kernels)
    unit.conv.weight = nn.Parameter(weight)
    unit.conv.bias = nn.Parameter(bias + (weight[:, half:, 0, 0] * shift).sum(1))
    unit.norm = nn.Identity()
    return unit


def residual_as_chain(block: ResidualBlock, bound: float) -> list[Unit]:
    """A residual block around which x goes as it is, as plain convolutions.

    Args:
        block: folded.
        bound: of x.

    Raises:
        NoSuchFormError: the shortcut is a layer of its own, the branch has other units or strides, or x would
            be cut off on its way.
    """
    units = [unit for unit in block.branch if isinstance(unit, ConvUnit)]
    bounds = [unit.relu.bound for unit in units if unit.relu is not None]
    if not isinstance(block.shortcut, nn.Identity) or len(bounds) < len(block.branch):
        raise NoSuchFormError("a residual block with a shortcut or a branch that is no chain of ConvUnits")
    if any(unit.conv.stride != (1, 1) or unit.pool != "none" for unit in units) or min(bounds) < bound:
        raise NoSuchFormError("a residual block whose branch strides, pools or has a smaller bound than x")
    passed = units[-1].out_channels
    chain = [_beside(unit, passed, first=index == 0) for index, unit in enumerate(units)]
    add = torch.cat((torch.eye(passed), torch.eye(passed)), 1)[:, :, None, None]
    return [*chain, plain_unit(add, torch.zeros(passed), bound=block.sum.bound)]


def _beside(unit: ConvUnit, passed: int, *, first: bool) -> ConvUnit:
    """`unit` with `passed` channels in front of its outputs, which go through unchanged.

    The first layer of a branch reads the very channels that it passes on, the others have them beside theirs.
    """
    weight, bias = _folded(unit)
    kernels = spread(unit.conv, weight)
    size = kernels.shape[2]
    own = torch.cat((torch.zeros(len(kernels), 0 if first else passed, size, size), kernels), 1)
    through = torch.zeros(passed, own.shape[1], size, size)
    through[range(passed), range(passed), size // 2, size // 2] = 1.0
    assert unit.relu is not None
    weights, biases = torch.cat((through, own)), torch.cat((torch.zeros(passed), bias))
    return plain_unit(weights, biases, bound=unit.relu.bound)


def plain_unit(weight: Tensor, bias: Tensor, *, bound: float) -> ConvUnit:
    """A folded full convolution at stride 1 with these weights (C_out, C_in, k, k)."""
    unit = ConvUnit(weight.shape[1], len(weight), kernel_size=weight.shape[2], bound=bound)
    unit.conv.weight, unit.conv.bias = nn.Parameter(weight), nn.Parameter(bias)
    unit.norm = nn.Identity()
    return unit


def spread(conv: nn.Conv2d, weight: Tensor) -> Tensor:
    """Kernels of a depthwise convolution as those of a full one, zero between channels."""
    if conv.groups == 1:
        return weight
    full = torch.zeros(len(weight), len(weight), *weight.shape[2:])
    full[range(len(weight)), range(len(weight))] = weight[:, 0]
    return full


def _folded(unit: ConvUnit) -> tuple[Tensor, Tensor]:
    """Copies of the weight and bias of a folded unit."""
    assert unit.conv.bias is not None
    return unit.conv.weight.detach().clone(), unit.conv.bias.detach().clone()
