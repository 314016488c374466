"""What a network costs for one image, in sum and layer by layer: parameters, multiply-accumulates, memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from qana.backbone.residual import ResidualBlock
from qana.backbone.unit import HeadUnit, SeparableUnit, Unit

PIXEL_BITS = 8
LOGIT_BITS = 32
FLOAT_BITS = 32  # of an activation that is not quantized


@dataclass(frozen=True)
class Complexity:
    """Static cost of a network for one image.

    Attributes:
        parameters: trainable parameters, attention included while it is there.
        macs: multiply-accumulates of the convolutions and the head.
    """

    parameters: int
    macs: int


@dataclass(frozen=True)
class LayerComplexity:
    """Static cost of one layer for one image.

    Attributes:
        module: path in the network.
        kind: ``conv``, ``pointwise``, ``depthwise``, ``grouped``, ``separable``, ``ghost_separable`` or
            ``dense``.
        output_shape: (H, W, C), behind the layer's own pool.
        parameters: trainable ones, norm and attention included while they are there.
        macs: multiply-accumulates of its convolutions, ahead of any pool. Attention is not counted: it is
            folded away before anything runs on a chip.
        activation_bytes: its input and its output, which have to exist at the same time, and what goes around
            it to a sum.
    """

    module: str
    kind: str
    output_shape: tuple[int, int, int]
    parameters: int
    macs: int
    activation_bytes: int


@dataclass(frozen=True)
class _Layer:
    """A layer with weights: the module that runs, and the unit (or plain layer) that describes it."""

    path: str
    runs: nn.Module
    described: nn.Module


def complexity(network: nn.Module, image_shape: tuple[int, int, int]) -> Complexity:
    """Count parameters and multiply-accumulates.

    Args:
        network: takes pixels (N, 3, H, W); float or quantized.
        image_shape: (H, W, 3).
    """
    layers = layer_complexity(network, image_shape, activation_bits=FLOAT_BITS)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Complexity(parameters=parameters, macs=sum(layer.macs for layer in layers))


def layer_complexity(
    network: nn.Module, image_shape: tuple[int, int, int], activation_bits: int
) -> tuple[LayerComplexity, ...]:
    """Count what each layer with weights costs, in the order in which they run.

    The network's own layers are counted, not the program's: an Akida v1 program holds the features in front
    of a ghost unit twice, and identity kernels besides.

    Args:
        network: takes pixels (N, 3, H, W); float or quantized. Convolutions and dense layers outside of
            units, as in networks from elsewhere, count as layers of their own.
        image_shape: (H, W, 3).
        activation_bits: of every activation, 32 for a float network. Pixels take at least 8 bits, logits 32.

    Returns:
        One entry per layer; the peak of the network is `peak_activation_bytes` of them. A sum is not among
        them: it has no weights, and is taken in the place of one of its inputs.
    """
    layers = _layers(network)
    seen: list[tuple[_Layer, torch.Size, torch.Size]] = []

    def keep(layer: _Layer) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        return lambda _, inputs, output: seen.append((layer, inputs[0].shape, output.shape))

    hooks = [layer.runs.register_forward_hook(keep(layer)) for layer in layers]
    modes = {module: module.training for module in network.modules()}
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, image_shape[2], *image_shape[:2]))
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes.items():
            module.training = training
    around = _kept_meanwhile(network, {layer.runs: (before, after) for layer, before, after in seen})
    return tuple(
        _cost(
            layer,
            before,
            after,
            activation_bits,
            first=index == 0,
            last=index == len(seen) - 1,
            kept=around.get(layer.runs),
        )
        for index, (layer, before, after) in enumerate(seen)
    )


def peak_activation_bytes(layers: Sequence[LayerComplexity]) -> int:
    """The most memory that the maps of one image take at once."""
    return max((layer.activation_bytes for layer in layers), default=0)


def _kept_meanwhile(
    network: nn.Module, shapes: Mapping[nn.Module, tuple[torch.Size, torch.Size]]
) -> dict[nn.Module, torch.Size]:
    """The map that waits for a sum while a layer of the branch runs, where it is not its input too."""
    kept: dict[nn.Module, torch.Size] = {}
    for block in network.modules():
        if isinstance(block, ResidualBlock) and block.branch[0] in shapes:
            own = block.shortcut in shapes
            waiting = shapes[block.shortcut][1] if own else shapes[block.branch[0]][0]
            kept.update(dict.fromkeys(list(block.branch)[0 if own else 1 :], waiting))
    return kept


def _layers(network: nn.Module) -> list[_Layer]:
    """Units, quantized units (which hold the float one they compute) and plain layers outside of both."""
    found: list[_Layer] = []
    inside: set[nn.Module] = set()
    for path, module in network.named_modules():
        if module in inside:
            continue
        held = getattr(module, "unit", None)
        described = held if isinstance(held, Unit) else module
        if isinstance(described, (Unit, nn.Conv2d, nn.Linear)):
            found.append(_Layer(path, module, described))
            inside.update(module.modules())
    return found


def _cost(
    layer: _Layer,
    before: torch.Size,
    after: torch.Size,
    activation_bits: int,
    *,
    first: bool,
    last: bool,
    kept: torch.Size | None,
) -> LayerComplexity:
    described = layer.described
    input_bits = max(activation_bits, PIXEL_BITS) if first else activation_bits
    output_bits = LOGIT_BITS if last else activation_bits
    return LayerComplexity(
        module=layer.path,
        kind=_kind(described),
        output_shape=_height_width_channels(after),
        parameters=sum(parameter.numel() for parameter in described.parameters()),
        macs=_positions(described, before, after) * sum(conv.weight.numel() for conv in _weighted(described)),
        activation_bytes=_packed_bytes(before, input_bits)
        + _packed_bytes(after, output_bits)
        + (_packed_bytes(kept, activation_bits) if kept is not None else 0),
    )


def _weighted(described: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    if isinstance(described, Unit):
        return [*described.weighted()]
    assert isinstance(described, (nn.Conv2d, nn.Linear))
    return [described]


def _positions(described: nn.Module, before: torch.Size, after: torch.Size) -> int:
    """Places where the weights are applied: outputs per channel, ahead of a unit's pool."""
    if isinstance(described, Unit):
        rows, columns = described.weighted()[0].stride
        return -(-before[2] // int(rows)) * -(-before[3] // int(columns))
    return math.prod(after[2:] if isinstance(described, nn.Conv2d) else after[1:-1])


def _kind(described: nn.Module) -> str:
    if isinstance(described, SeparableUnit):
        return "ghost_separable" if described.ghost else "separable"
    if isinstance(described, (HeadUnit, nn.Linear)):
        return "dense"
    (conv,) = _weighted(described)
    assert isinstance(conv, nn.Conv2d)
    if conv.groups > 1:
        return "depthwise" if conv.groups == conv.in_channels else "grouped"
    return "pointwise" if conv.kernel_size == (1, 1) else "conv"


def _height_width_channels(shape: torch.Size) -> tuple[int, int, int]:
    """(N, C, H, W) or, from a dense layer, (N, ..., C)."""
    if len(shape) == 4:
        return shape[2], shape[3], shape[1]
    return 1, math.prod(shape[1:-1]), shape[-1]


def _packed_bytes(shape: torch.Size, bits: int) -> int:
    """Of one image's map."""
    return -(-math.prod(shape[1:]) * bits // 8)
