"""The bounded activation: a ReLU clipped at a power of two, because the chip's steps are powers of two."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

from qana.errors import QanaError


class BoundedReLU(nn.Module):
    """y = min(max(x, 0), bound), elementwise; ReLU6 (arXiv:1704.04861) with a bound that fits the grid.

    A bound of 2**k lets a b-bit activation use the step 2**(k - b) with no level wasted (Akida wants a
    bounded ReLU on v1, ``cnn2snn/quantizeml/activations.py:v1_relu_checks``).

    Args:
        bound: upper limit in real units: a power of two, or infinity for a plain ReLU. No chip has one:
            quantization puts a bound in its place, the one that costs least on real images.
    """

    def __init__(self, bound: float) -> None:
        super().__init__()
        if bound != math.inf:
            require_power_of_two(bound, allowed="a power of two such as 1, 2, 4 or 8; .inf for a plain ReLU")
        self.bound = float(bound)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) or (N, C) in, the same shape out."""
        return F.hardtanh(x, 0.0, self.bound)  # one kernel backwards, where clamp takes three

    def extra_repr(self) -> str:
        return f"bound={self.bound:g}"


def require_power_of_two(bound: float, *, allowed: str = "a power of two such as 1, 2, 4 or 8") -> None:
    """Refuse a bound that is no power of two.

    Args:
        bound: in real units.
        allowed: for the message.

    Raises:
        QanaError: the bound is none.
    """
    if not bound > 0 or math.isinf(bound) or not math.log2(bound).is_integer():
        raise QanaError(
            f"activation bound {bound} is not a power of two",
            where="backbone.activation_bound",
            allowed=allowed,
            fix="take the nearest power of two",
        )
