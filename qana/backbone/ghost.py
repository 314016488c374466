"""The ghost module in the form that Akida v2 runs: two branches and a concatenation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from qana.backbone.unit import ConvUnit


class GhostModule(nn.Module):
    """Half of the features from a convolution, the other half from a cheap depthwise one over them.

    y = primary(x); out = [y, cheap(y)]   (Han et al. 2020, arXiv:1911.11907, eq. 3 with s = 2, d = 3)

    Args:
        in_channels: channels in.
        out_channels: channels out, even.
        bound: bound of the activations.
        cheap_activation: whether the cheap branch ends in a ReLU. A 4-bit concatenation on Akida v2 wants
            one on both branches; without it the module equals `SeparableUnit(ghost=True)`.
        kernel_size: of the primary convolution: 1 as in the paper's GhostNet, or 3 as in its Ghost-VGG-16.
        gate: channel attention on the primary features, or None.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        bound: float,
        cheap_activation: bool,
        kernel_size: int = 1,
        gate: nn.Module | None = None,
    ) -> None:
        super().__init__()
        half = out_channels // 2
        self.primary = ConvUnit(in_channels, half, kernel_size=kernel_size, bound=bound, gate=gate)
        cheap_bound = bound if cheap_activation else None
        self.cheap = ConvUnit(half, half, kernel_size=3, depthwise=True, bound=cheap_bound)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, H, W) to (N, C_out, H, W)."""
        y = self.primary(x)
        return torch.cat((y, self.cheap(y)), 1)
