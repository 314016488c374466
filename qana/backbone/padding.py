"""Padding as the chip does it, in torch already, so that no conversion has to move a pixel."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


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


def pad_same(x: Tensor, kernel_size: int, stride: int) -> Tensor:
    """Zero-pad (N, C, H, W) so that a valid convolution gives ceil(H / stride) rows."""
    # int(): an exported graph has one input size, so its paddings are constants.
    top, bottom = same_padding(int(x.shape[2]), kernel_size, stride)
    left, right = same_padding(int(x.shape[3]), kernel_size, stride)
    if top == bottom == left == right == 0:
        return x
    return F.pad(x, (left, right, top, bottom))
