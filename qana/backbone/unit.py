"""The layers an Akida program is made of, as float torch modules with one shape: linear, norm, pool, ReLU.

Every network here is built from these units alone, so folding, quantizing and exporting are rewrites of
single units and never have to guess at a graph.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qana.backbone.bounded_relu import BoundedReLU
from qana.backbone.padding import SameConv2d

Pool = Literal["none", "max", "global_before_relu", "global_after_relu"]


class Unit(nn.Module, ABC):
    """What all units share: what happens behind the linear part, which each brings itself.

    Attributes:
        norm: batch normalization, or an identity once folded.
        gate: channel attention on the normalized and pooled features, or an identity once folded.
        pool: ``max`` is 2x2 with stride 2; a global average comes before the ReLU on Akida v1 and behind
            it on v2, as each generation wants it.
        relu: the bounded activation, or None where the unit gives logits.
    """

    def __init__(
        self, out_channels: int, *, pool: Pool, bound: float | None, gate: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.norm: nn.Module = nn.BatchNorm2d(out_channels)
        self.gate: nn.Module = gate if gate is not None else nn.Identity()
        self.pool: Pool = pool
        self.relu = BoundedReLU(bound) if bound is not None else None

    @abstractmethod
    def linear(self, x: Tensor) -> Tensor:
        """The linear part: (N, C_in, H, W) to (N, C_out, H', W')."""

    @abstractmethod
    def weighted(self) -> list[nn.Conv2d]:
        """The convolutions whose weights the chip stores; the last one carries bias and norm."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) to (N, C_out, H', W'); H' = W' = 1 behind a global pool."""
        x = self.norm(self.linear(x))
        if self.pool == "max":
            x = F.max_pool2d(x, 2, 2, ceil_mode=True)
        if self.pool == "global_before_relu":
            x = x.mean((2, 3), keepdim=True)
        x = self.gate(x)  # behind the pool, where it is cheap: a positive factor commutes with both
        if self.relu is not None:
            x = self.relu(x)
        if self.pool == "global_after_relu":
            x = x.mean((2, 3), keepdim=True)
        return x


class ConvUnit(Unit):
    """Convolution, full or depthwise, padded as the chip pads.

    Args:
        in_channels: channels in.
        out_channels: channels out; equal to `in_channels` when `depthwise`.
        kernel_size: odd width of the square kernel.
        stride: 1 or 2.
        depthwise: one kernel per channel (Akida v2 only, as a layer of its own).
        pool: see `Unit`.
        bound: bound of the ReLU, or None for no activation.
        gate: channel attention, or None.
        input_scale: factor on the input; 1/255 in a stem that takes 8-bit pixels, folded away later.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel_size: int,
        bound: float | None,
        stride: int = 1,
        depthwise: bool = False,
        pool: Pool = "none",
        gate: nn.Module | None = None,
        input_scale: float = 1.0,
    ) -> None:
        super().__init__(out_channels, pool=pool, bound=bound, gate=gate)
        groups = in_channels if depthwise else 1
        self.conv = SameConv2d(
            in_channels, out_channels, kernel_size, stride=stride, groups=groups, bias=False
        )
        self.input_scale = input_scale

    def linear(self, x: Tensor) -> Tensor:
        if self.input_scale != 1.0:
            x = x * self.input_scale
        return self.conv(x)

    def weighted(self) -> list[nn.Conv2d]:
        return [self.conv]


class SeparableUnit(Unit):
    """Depthwise, then pointwise convolution with nothing between them: Akida v1's SeparableConvolutional.

    With `ghost` the pointwise convolution sees ``[x, depthwise(x)]``. That is a ghost module (Han et al.
    2020, arXiv:1911.11907) whose cheap branch has no activation, fused with the convolution behind it;
    on the chip it is a depthwise convolution over ``[x, x]`` whose first half of kernels is the identity.

    Args:
        in_channels: channels of x.
        out_channels: channels out.
        ghost: see above.
        stride: 1 or 2; 1 with `ghost`.
        pool: see `Unit`.
        bound: bound of the ReLU, or None.
        gate: channel attention, or None.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        bound: float | None,
        ghost: bool = False,
        stride: int = 1,
        pool: Pool = "none",
        gate: nn.Module | None = None,
    ) -> None:
        super().__init__(out_channels, pool=pool, bound=bound, gate=gate)
        if ghost and stride != 1:
            raise ValueError("a ghost unit keeps its resolution: stride must be 1")
        self.ghost = ghost
        self.depthwise = SameConv2d(
            in_channels, in_channels, 3, stride=stride, groups=in_channels, bias=False
        )
        self.conv = SameConv2d(in_channels * (2 if ghost else 1), out_channels, 1, bias=False)

    def linear(self, x: Tensor) -> Tensor:
        cheap = self.depthwise(x)
        return self.conv(torch.cat((x, cheap), 1) if self.ghost else cheap)

    def weighted(self) -> list[nn.Conv2d]:
        return [self.depthwise, self.conv]


class HeadUnit(Unit):
    """The projection onto the classes: a dense layer, written as a 1x1 convolution over one position.

    Args:
        in_channels: features.
        num_classes: logits.
    """

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__(num_classes, pool="none", bound=None)
        self.norm = nn.Identity()
        self.conv = SameConv2d(in_channels, num_classes, 1)

    def linear(self, x: Tensor) -> Tensor:
        return self.conv(x)

    def weighted(self) -> list[nn.Conv2d]:
        return [self.conv]
