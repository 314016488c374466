"""A residual block that Akida v2 runs: two ways through it, and the sum of both."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from qana.backbone.bounded_sum import BoundedSum
from qana.backbone.unit import Unit


class ResidualBlock(nn.Module):
    """y = min(s(x) + g(x), bound)   (after He et al. 2016, arXiv:1512.03385, eq. 1 and 2)

    The paper puts its last ReLU behind the sum. Here each way ends in a bounded ReLU of its own: a 4-bit
    layer of Akida v2 without one is refused (``4-bit weights and 8-bit potential is not allowed.``), and the
    sum then saturates where a bounded ReLU would (`BoundedSum`).

    Args:
        branch: g, at least one unit; the last one ends in a bounded ReLU and gives the channels and positions
            of s(x).
        shortcut: s, a unit with a bounded ReLU, or None where x goes around as it is.
        bound: of the sum.
    """

    def __init__(self, branch: Sequence[Unit], *, shortcut: Unit | None, bound: float) -> None:
        super().__init__()
        self.shortcut: nn.Module = shortcut if shortcut is not None else nn.Identity()
        self.branch = nn.Sequential(*branch)
        self.sum = BoundedSum(bound)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) to (N, C_out, H', W')."""
        return self.sum(self.shortcut(x), self.branch(x))
