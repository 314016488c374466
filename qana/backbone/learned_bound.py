"""A bounded activation that learns its bound, and always stands on a power of two while it does."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from qana.backbone.bounded_relu import BoundedReLU, require_power_of_two
from qana.backbone.residual import ResidualBlock
from qana.backbone.unit import Unit


class LearnedBoundReLU(BoundedReLU):
    """y = min(max(x, 0), 2**round(e)), with e learned.

    PACT (Choi et al. 2018, arXiv:1805.06085, eq. 1 and 2) learns a real bound by the gradient of the values
    it clips. Here the bound is 2**e, and e is rounded in the forward pass, so that training only ever sees
    bounds that the chip has; the gradient passes the rounding unchanged (arXiv:1308.3432):

    dy/de = 2**round(e) ln 2 where x is clipped, else 0

    Folding and quantization keep the bound that was learned (`qana.quantization.calibrate`).

    Args:
        bound: to start from, a power of two.
    """

    def __init__(self, bound: float) -> None:
        nn.Module.__init__(self)
        require_power_of_two(bound)
        self.log2_bound = nn.Parameter(torch.tensor(math.log2(bound)))

    @property
    def bound(self) -> float:  # type: ignore[override]
        """The bound now, in real units."""
        return float(2.0 ** round(float(self.log2_bound.detach())))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) or (N, C) in, the same shape out."""
        rounded = self.log2_bound + (torch.round(self.log2_bound) - self.log2_bound).detach()
        return torch.minimum(torch.relu(x), torch.exp2(rounded))


def learn_bounds(network: nn.Module) -> None:
    """Let every activation of `network` learn its bound, from the one it has, in place.

    The two ways into a sum keep theirs: the chip aligns them by shifting, so their steps are not free.
    """
    ways = {
        unit
        for block in network.modules()
        if isinstance(block, ResidualBlock)
        for unit in (block.shortcut, block.branch[-1])
    }
    for unit in network.modules():
        if isinstance(unit, Unit) and unit not in ways and unit.relu is not None:
            unit.relu = LearnedBoundReLU(unit.relu.bound)
