"""The trained network as plain layers, one per layer of the program, ready for ONNX.

Only here does the ghost unit of Akida v1 take its real shape: the layer before it gives every feature twice,
and half of its depthwise kernels are identities.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qana.backbone.ghost import GhostModule
from qana.backbone.padding import SameConv2d
from qana.backbone.residual import ResidualBlock
from qana.backbone.unit import HeadUnit, SeparableUnit, Unit
from qana.quantization.network import QuantizedNetwork
from qana.quantization.sum import QuantizedSum
from qana.quantization.unit import IDENTITY_WEIGHT, QuantizedUnit


@dataclass(frozen=True)
class PlannedLayer:
    """What a layer of the program has to be, as training fixed it.

    Attributes:
        name: of the layer in ONNX, Keras and Akida.
        module: path of its unit in the torch network.
        weight_bits: bits of a weight, sign included; None for a sum, which has no weights.
        output_bits: bits of an output code as the SDK counts them; None for logits.
        output_signed: whether those bits include a sign; None for logits.
        range_max: largest real value of the output grid; None for logits.
        frac_bits: one output step is ``2**-frac_bits``; None for logits.
        copies: how often every output channel appears (2 before a ghost unit of v1).
        pooled: whether a global average pool behind the ReLU holds the output grid.
        outputs: output channels of the unit, not counting copies; the classes of the last one.
    """

    name: str
    module: str
    weight_bits: int | None
    output_bits: int | None
    output_signed: bool | None
    range_max: float | None
    frac_bits: int | None
    copies: int
    pooled: bool
    outputs: int


class DeployedUnit(nn.Module):
    """One folded unit with plain torch layers; float, weights on their grids."""

    def __init__(self, unit: Unit, *, copies: int) -> None:
        super().__init__()
        self.unit_pool = unit.pool
        self.bound = unit.relu.bound if unit.relu is not None else None
        *first, last = unit.weighted()
        self.depthwise = _depthwise(unit, first[0]) if isinstance(unit, SeparableUnit) else None
        self.conv: nn.Module
        if isinstance(unit, HeadUnit):
            self.conv = _dense(last)
        else:
            self.conv = _repeated(last, copies)

    def forward(self, x: Tensor) -> Tensor:
        if self.depthwise is not None:
            x = self.depthwise(x)
        if isinstance(self.conv, nn.Linear):
            return self.conv(x.flatten(1))
        assert isinstance(self.conv, nn.Conv2d)
        x = self.conv(x)
        if self.unit_pool == "max":
            x = F.max_pool2d(x, 2, 2, ceil_mode=True)
        if self.unit_pool == "global_before_relu":
            x = F.adaptive_avg_pool2d(x, 1)
        if self.bound is not None:
            x = torch.clamp(x, 0.0, self.bound)
        if self.unit_pool == "global_after_relu":
            x = F.adaptive_avg_pool2d(x, 1)
        return x


class DeployedGhost(nn.Module):
    """Two deployed branches and their concatenation."""

    def __init__(self, primary: DeployedUnit, cheap: DeployedUnit) -> None:
        super().__init__()
        self.primary, self.cheap = primary, cheap

    def forward(self, x: Tensor) -> Tensor:
        y = self.primary(x)
        return torch.cat((y, self.cheap(y)), 1)


class DeployedSum(nn.Module):
    """The sum of two branches and its bound, which the chip's Add keeps by saturating."""

    def __init__(self, bound: float) -> None:
        super().__init__()
        self.bound = bound

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.clamp(a + b, 0.0, self.bound)


class DeployedResidual(nn.Module):
    """Two deployed ways through a block and their sum."""

    def __init__(self, shortcut: nn.Module, branch: nn.Module, bound: float) -> None:
        super().__init__()
        self.shortcut, self.branch, self.sum = shortcut, branch, DeployedSum(bound)

    def forward(self, x: Tensor) -> Tensor:
        return self.sum(self.shortcut(x), self.branch(x))


def deploy(network: QuantizedNetwork) -> tuple[nn.Sequential, list[PlannedLayer]]:
    """Rewrite a trained network into plain float layers and say what each has to become.

    Args:
        network: trained; its weights are snapped to their grids first.

    Returns:
        The plain network, pixels (N, 3, H, W) to logits (N, classes), and one plan per layer that gives
        integers of its own, in the order of ``network.layers()``.
    """
    network.snap()
    deployed: list[nn.Module] = []
    plan: list[PlannedLayer] = []
    blocks = list(network.blocks)
    for index, block in enumerate(blocks):
        following = blocks[index + 1] if index + 1 < len(blocks) else None
        copies = 2 if _is_ghost(following) else 1
        if isinstance(block, GhostModule):
            branches = [_deploy_unit(getattr(block, part), 1) for part in ("primary", "cheap")]
            deployed.append(DeployedGhost(*branches))
            plan += [_plan(getattr(block, part), f"{index}.{part}", 1) for part in ("primary", "cheap")]
        elif isinstance(block, ResidualBlock):
            deployed.append(_deploy_residual(block))
            plan += _plan_residual(block, str(index))
        else:
            deployed.append(_deploy_unit(block, copies))
            plan.append(_plan(block, str(index), copies))
    return nn.Sequential(*deployed).eval(), plan


def _deploy_residual(block: ResidualBlock) -> DeployedResidual:
    around = block.shortcut
    shortcut = _deploy_unit(around, 1) if isinstance(around, QuantizedUnit) else nn.Identity()
    branch = nn.Sequential(*(_deploy_unit(unit, 1) for unit in block.branch))
    return DeployedResidual(shortcut, branch, block.sum.bound)


def _plan_residual(block: ResidualBlock, path: str) -> list[PlannedLayer]:
    plan = []
    if isinstance(block.shortcut, QuantizedUnit):
        plan.append(_plan(block.shortcut, f"{path}.shortcut", 1))
    plan += [_plan(unit, f"{path}.branch.{index}", 1) for index, unit in enumerate(block.branch)]
    assert isinstance(block.sum, QuantizedSum)
    return [*plan, _plan_sum(block.sum, f"{path}.sum", plan[-1].outputs)]


def _plan_sum(quantized: QuantizedSum, path: str, outputs: int) -> PlannedLayer:
    grid = quantized.output_grid
    return PlannedLayer(
        name=f"layer_{path.replace('.', '_')}_add",  # as `onnx_to_keras` calls the operation of that module
        module=f"blocks.{path}",
        weight_bits=None,
        output_bits=grid.value_bits + 1,
        output_signed=True,
        range_max=grid.range_max,
        frac_bits=grid.frac_bits,
        copies=1,
        pooled=False,
        outputs=outputs,
    )


def _is_ghost(block: nn.Module | None) -> bool:
    return isinstance(block, QuantizedUnit) and isinstance(block.unit, SeparableUnit) and block.unit.ghost


def _deploy_unit(block: nn.Module, copies: int) -> DeployedUnit:
    assert isinstance(block, QuantizedUnit)
    return DeployedUnit(block.unit, copies=copies)


def _plan(block: nn.Module, path: str, copies: int) -> PlannedLayer:
    assert isinstance(block, QuantizedUnit)
    grid = block.output_grid
    signed = grid is not None and grid.value_bits == 7  # the SDK keeps 8-bit activations signed
    return PlannedLayer(
        name="layer_" + path.replace(".", "_"),
        module=f"blocks.{path}",
        weight_bits=block.bits.weight,
        output_bits=None if grid is None else grid.value_bits + signed,
        output_signed=None if grid is None else signed,
        range_max=None if grid is None else grid.range_max,
        frac_bits=None if grid is None else grid.frac_bits,
        copies=copies,
        pooled=block.unit.pool == "global_after_relu",
        outputs=block.unit.out_channels,
    )


def _repeated(conv: nn.Conv2d, copies: int) -> nn.Conv2d:
    """The same convolution with all its outputs `copies` times, one block behind the other."""
    groups = conv.groups * copies if conv.groups > 1 else 1
    plain = SameConv2d(
        conv.in_channels,
        conv.out_channels * copies,
        conv.kernel_size[0],
        stride=conv.stride[0],
        groups=groups,
    )
    assert conv.bias is not None
    plain.weight = nn.Parameter(conv.weight.detach().repeat(copies, 1, 1, 1))
    plain.bias = nn.Parameter(conv.bias.detach().repeat(copies))
    return plain


def _depthwise(unit: SeparableUnit, conv: nn.Conv2d) -> nn.Conv2d:
    kernels = conv.weight.detach()
    if unit.ghost:
        identity = torch.zeros_like(kernels)
        identity[:, :, 1, 1] = IDENTITY_WEIGHT
        kernels = torch.cat((identity, kernels))
    channels = len(kernels)
    plain = SameConv2d(channels, channels, 3, stride=conv.stride[0], groups=channels, bias=False)
    plain.weight = nn.Parameter(kernels)
    return plain


def _dense(conv: nn.Conv2d) -> nn.Linear:
    plain = nn.Linear(conv.in_channels, conv.out_channels)
    assert conv.bias is not None
    plain.weight = nn.Parameter(conv.weight.detach().flatten(1))
    plain.bias = nn.Parameter(conv.bias.detach())
    return plain
