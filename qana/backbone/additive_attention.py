"""Attention without a product: what a channel sees around a pixel is added to it, for Akida v2."""

from __future__ import annotations

from qana.backbone.residual import ResidualBlock
from qana.backbone.unit import ConvUnit


def additive_attention(channels: int, *, bound: float) -> ResidualBlock:
    """Attention that adds: y = min(x + g(x), bound), with a local g.

    g is a 3x3 window for every channel, a norm and a bounded ReLU. It stands in place of the gate x * g(x) of
    SA-ECA (`qana.backbone.attention.SpatialEca`), whose product of two tensors no Akida generation has. It
    raises a feature where its surroundings speak for it, and lowers none; it stays data-dependent on the
    chip, where the folded form is a constant. Not equal to either.

    Args:
        channels: of x, (N, C, H, W) in and out.
        bound: of g and of the sum.
    """
    local = ConvUnit(channels, channels, kernel_size=3, depthwise=True, bound=bound)
    return ResidualBlock([local], shortcut=None, bound=bound)
