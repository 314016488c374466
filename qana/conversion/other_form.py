"""A trained float network in the form of the other Akida generation: the same function in other layers.

What one generation lacks, layers of the other can stand for, without any loss in the float network:

    to ``concat`` (v2)
        depthwise without activation    W d = W (relu(d + c) - c), where c lifts d above zero
        average ahead of the ReLU       relu(mean(z)) = relu(mean(relu(z + c)) - c), with one more 1x1 layer
    to ``separable`` (v1)
        depthwise on its own            a full convolution whose other weights are zero
        ghost module (concatenation)    one full convolution: kernels that pass x on, and the depthwise ones
        linear ghost, sum               in `qana.conversion.equal_layers`
        average behind the ReLU         mean(x) = relu(mean(1 x)) for x >= 0, with one more 1x1 layer

The quantized networks are not equal: a lifted value needs levels for what was below zero.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from qana.backbone.ghost import GhostModule
from qana.backbone.network import Network
from qana.backbone.residual import ResidualBlock
from qana.backbone.unit import ConvUnit, HeadUnit, Pool, SeparableUnit, Unit
from qana.conversion.equal_layers import NoSuchFormError, fused_ghost, residual_as_chain, spread
from qana.conversion.value_ranges import Ranges, ValueRange
from qana.errors import QanaError, listed

SMALLEST_SPAN = 1e-6  # of a channel that is always zero


@torch.no_grad()
def in_form(network: Network, form: str, ranges: Ranges) -> Network:
    """Rewrite a float network into the layers of another generation.

    Args:
        network: folded; left as it is.
        form: ``separable`` (Akida v1) or ``concat`` (Akida v2).
        ranges: of the linear parts of this very network (`exact_ranges`, `observed_ranges`); only ``concat``
            needs them. Where a value leaves its range, the two networks part.

    Returns:
        A folded network of the same outputs, up to float rounding; a copy where it has that form already.

    Raises:
        QanaError: blocks that have no such form, all of them.
    """
    if network.form == form:
        return copy.deepcopy(network)
    blocks: list[nn.Module] = []
    faults = []
    for path, block in network.blocks.named_children():
        try:
            _to_concat(blocks, block, ranges) if form == "concat" else _to_separable(blocks, block)
        except NoSuchFormError as reason:
            faults.append(f"blocks.{path}: {reason}")
    if faults:
        raise QanaError(
            f"the trained {network.name} network has no {form} form: {listed(faults)}",
            where=f"conversion.form = {form}",
            allowed=f"a target of the {network.form} form, in which the network was trained",
            fix=f"train it in the {form} form: qana run with the same conversion=...",
        )
    return Network(name=network.name, form=form, blocks=blocks).eval()


def _to_concat(blocks: list[nn.Module], block: nn.Module, ranges: Ranges) -> None:
    """Append what stands for `block` on Akida v2; a ghost unit also takes in the block before it."""
    if isinstance(block, HeadUnit):
        blocks.append(copy.deepcopy(block))
        return
    _require_unit(block)
    assert isinstance(block, Unit)
    weight, bias = _pointwise(block)
    if isinstance(block, SeparableUnit):
        lift = _Lift(ranges[block.depthwise], _bound(block))
        _append_depthwise(blocks, block, lift)
        cheap = slice(-len(lift.factor), None)
        bias = bias + (weight[:, cheap, 0, 0] * lift.low).sum(1)
        weight[:, cheap] /= lift.factor.view(1, -1, 1, 1)
    if block.pool != "global_before_relu":
        blocks.append(_conv_unit(block, weight, bias, pool=block.pool))
        return
    lift = _Lift(ranges[block], _bound(block))
    lifted = weight * lift.factor.view(-1, 1, 1, 1), lift.factor * (bias - lift.low)
    blocks.append(_conv_unit(block, *lifted, pool="global_after_relu"))
    lowered = torch.diag(1 / lift.factor)[:, :, None, None]
    blocks.append(_plain_unit(lowered, lift.low, bound=_bound(block), pool="none"))


def _to_separable(blocks: list[nn.Module], block: nn.Module) -> None:
    """Append what stands for `block` on Akida v1."""
    if blocks and isinstance(blocks[-1], GhostModule):
        block = fused_ghost(blocks.pop(), block)  # type: ignore[arg-type]
    if isinstance(block, HeadUnit):
        blocks.append(copy.deepcopy(block))
        return
    if isinstance(block, GhostModule):
        _to_separable(blocks, block.primary)
        # Without cheap activation it is held open: the next layer takes it in.
        blocks.append(_ghost_as_conv(block) if block.cheap.relu is not None else copy.deepcopy(block))
        return
    if isinstance(block, ResidualBlock):
        blocks += residual_as_chain(block, _bound_of_last(blocks))
        return
    _require_unit(block)
    assert isinstance(block, Unit)
    pooled = block.pool == "global_after_relu"
    pool: Pool = "none" if pooled else block.pool
    if isinstance(block, SeparableUnit):
        separable = copy.deepcopy(block)
        separable.pool = pool
        blocks.append(separable)
    else:
        weight, bias = _pointwise(block)
        blocks.append(_conv_unit(block, spread(block.weighted()[-1], weight), bias, pool=pool))
    if pooled:
        channels = block.out_channels
        same = torch.eye(channels)[:, :, None, None]
        blocks.append(
            _plain_unit(same, torch.zeros(channels), bound=_bound(block), pool="global_before_relu")
        )


class _Lift:
    """Moves a value from its range to 0 ... `bound`: factor * (value - low)."""

    def __init__(self, found: ValueRange, bound: float) -> None:
        self.low = found.low
        self.factor = bound / (found.high - found.low).clamp_min(SMALLEST_SPAN)


def _append_depthwise(blocks: list[nn.Module], unit: SeparableUnit, lift: _Lift) -> None:
    """The lifted depthwise branch: beside the unit before it (ghost), or as a layer of its own."""
    kernels = unit.depthwise.weight * lift.factor.view(-1, 1, 1, 1)
    cheap = _plain_unit(
        kernels,
        -lift.factor * lift.low,
        bound=_bound(unit),
        pool="none",
        stride=unit.depthwise.stride[0],
        depthwise=True,
    )
    if not unit.ghost:
        blocks.append(cheap)
        return
    primary = blocks[-1] if blocks else None
    if not isinstance(primary, ConvUnit) or primary.pool != "none":
        raise NoSuchFormError("a ghost unit behind a pool or a concatenation")
    half, bound = primary.out_channels, _bound(unit)
    ghost = GhostModule(primary.conv.in_channels, 2 * half, bound=bound, cheap_activation=True)
    ghost.primary, ghost.cheap = primary, cheap
    blocks[-1] = ghost


def _ghost_as_conv(block: GhostModule) -> ConvUnit:
    """[y, relu(depthwise(y))] as relu(conv(y)): y is not negative and keeps the same bound."""
    primary, cheap = block.primary, block.cheap
    if cheap.relu is None or primary.relu is None or cheap.relu.bound != primary.relu.bound:
        raise NoSuchFormError("a ghost module whose branches have no ReLU or two bounds")
    kernels, bias = _pointwise(cheap)
    passing = torch.zeros_like(kernels)
    passing[:, :, kernels.shape[2] // 2, kernels.shape[3] // 2] = 1.0
    weight = torch.cat((spread(cheap.conv, passing), spread(cheap.conv, kernels)))
    return _plain_unit(weight, torch.cat((torch.zeros_like(bias), bias)), bound=_bound(cheap), pool="none")


def _require_unit(block: nn.Module) -> None:
    if not isinstance(block, (ConvUnit, SeparableUnit)):
        raise NoSuchFormError(f"no rule for a {type(block).__name__}")
    if block.relu is None:
        raise NoSuchFormError("a layer without activation")


def _pointwise(unit: Unit) -> tuple[Tensor, Tensor]:
    """Copies of the weight and bias of the convolution that the norm was folded into."""
    conv = unit.weighted()[-1]
    assert conv.bias is not None
    return conv.weight.detach().clone(), conv.bias.detach().clone()


def _bound_of_last(blocks: list[nn.Module]) -> float:
    last = blocks[-1] if blocks else None
    if not isinstance(last, Unit) or last.relu is None:
        raise NoSuchFormError("a residual block behind something without a bound")
    return last.relu.bound


def _conv_unit(unit: Unit, weight: Tensor, bias: Tensor, *, pool: Pool) -> ConvUnit:
    """A convolution with the activation of `unit`, and its stride and groups where it is one itself."""
    conv = unit.weighted()[-1]
    depthwise = conv.groups > 1 and weight.shape[1] == 1
    stride = conv.stride[0]
    return _plain_unit(weight, bias, bound=_bound(unit), pool=pool, stride=stride, depthwise=depthwise)


def _plain_unit(
    weight: Tensor,
    bias: Tensor,
    *,
    bound: float,
    pool: Pool,
    stride: int = 1,
    depthwise: bool = False,
) -> ConvUnit:
    """A folded unit with these weights."""
    in_channels = len(weight) if depthwise else weight.shape[1]
    unit = ConvUnit(
        in_channels,
        len(weight),
        kernel_size=weight.shape[2],
        stride=stride,
        depthwise=depthwise,
        pool=pool,
        bound=bound,
    )
    unit.conv.weight, unit.conv.bias = nn.Parameter(weight), nn.Parameter(bias)
    unit.norm = nn.Identity()
    return unit


def _bound(unit: Unit) -> float:
    assert unit.relu is not None
    return unit.relu.bound
