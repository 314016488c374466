"""How many synapses a spike arrives at: counted from the connections, borders and strides included."""

from __future__ import annotations

import torch
from torch import Tensor

from qana.backbone.padding import convolve_same
from qana.backbone.unit import SeparableUnit, Unit


def fan_out(unit: Unit, height: int, width: int) -> Tensor:
    """Synapses of `unit` behind each position of its input.

    A spike in channel c at (y, x) is added once for every output whose window holds (y, x), in every output
    channel that reads c. A separable unit has no neurons between its two convolutions; it counts as the one
    full convolution that they multiply to, ghost or not, because the ghost's identity kernel lies inside it.
    A global average ahead of the neurons makes it no fewer.

    Args:
        unit: folded or not.
        height: of its input.
        width: of its input.

    Returns:
        (H, W), the same for every channel.
    """
    spatial, *_ = unit.weighted()
    channels = unit.out_channels // (1 if isinstance(unit, SeparableUnit) else spatial.groups)
    reach = _windows(height, width, kernel_size=spatial.weight.shape[2], stride=spatial.stride[0])
    return reach * channels


def _windows(height: int, width: int, *, kernel_size: int, stride: int) -> Tensor:
    """In how many windows of a padded convolution each position lies: what it is multiplied by, in sum."""
    with torch.enable_grad():
        x = torch.ones(1, 1, height, width, requires_grad=True)
        total = convolve_same(x, torch.ones(1, 1, kernel_size, kernel_size), stride=stride).sum()
        (windows,) = torch.autograd.grad(total, x)
    return windows[0, 0]
