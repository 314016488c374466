"""Padding as the chip does it, in torch already, so that no conversion has to move a pixel."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


def same_padding(size: int, kernel_size: int, stride: int) -> tuple[int, int]:
    """Zeros before and after one axis under TensorFlow's ``same`` rule, which is the chip's.

    At stride 2 on an even size a 3-wide kernel gets 0 before and 1 after; torch's ``padding=1`` would
    put 1 on both sides and make another network.

    Example:
        >>> same_padding(64, kernel_size=3, stride=2)
        (0, 1)
        >>> same_padding(64, kernel_size=3, stride=1)
        (1, 1)
    """
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + kernel_size - size, 0)
    return total // 2, total - total // 2


def convolve_same(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, *, stride: int = 1, groups: int = 1
) -> Tensor:
    """Convolve (N, C, H, W) with zeros around it so that ceil(H / stride) rows come out.

    Args:
        x: input.
        weight: (C_out, C / groups, k, k).
        bias: (C_out,) or None.
        stride: along both axes.
        groups: as in torch.
    """
    # int(): an exported graph has one input size, so its paddings are constants.
    top, bottom = same_padding(int(x.shape[2]), weight.shape[2], stride)
    left, right = same_padding(int(x.shape[3]), weight.shape[3], stride)
    if (top, left) == (bottom, right):  # the convolution pads by itself, without a copy of x
        return F.conv2d(x, weight, bias, stride, padding=(top, left), groups=groups)
    return F.conv2d(F.pad(x, (left, right, top, bottom)), weight, bias, stride, groups=groups)


class SameConv2d(nn.Conv2d):
    """A convolution that pads as the chip does; everything else as in torch.

    Args:
        in_channels: channels in.
        out_channels: channels out.
        kernel_size: odd width of the square kernel.
        stride: along both axes.
        groups: as in torch.
        bias: whether there is one.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, groups=groups, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) to (N, C_out, ceil(H / stride), ceil(W / stride))."""
        return convolve_same(x, self.weight, self.bias, stride=self.stride[0], groups=self.groups)
