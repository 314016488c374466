"""The sum of two maps, cut off at a power of two: how Akida v2 joins a branch to what it goes around."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from qana.backbone.bounded_relu import require_power_of_two


class BoundedSum(nn.Module):
    """y = min(a + b, bound), elementwise, for maps that are not negative.

    ``akida.Add`` has no activation, but saturates at the top of its output range (``akida/layers/add.py``,
    ``quantizeml/layers/multi_inbounds.py:QuantizedAdd``): with two bounded ReLUs in front of it that is all
    of a bounded ReLU behind it, and it costs nothing.

    Args:
        bound: upper limit in real units, a power of two.
    """

    def __init__(self, bound: float) -> None:
        super().__init__()
        require_power_of_two(bound)
        self.bound = float(bound)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Two maps (N, C, H, W) in, one out."""
        return F.hardtanh(a + b, 0.0, self.bound)

    def extra_repr(self) -> str:
        return f"bound={self.bound:g}"
