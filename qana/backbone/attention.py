"""Channel attention that ends as a constant: data-dependent while it learns, folded away on the chip.

No Akida generation multiplies two tensors. So a gate g(x) is annealed, during training, towards its own
mean over the data; at the end the mean is a factor per channel that disappears into the convolution. A cut
gate is the ablation of that: data-dependent to the end of the float training, its mean afterwards.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qana.errors import QanaError

ATTENTION_FORMS = ("gated", "folded", "additive")
ATTENTION = ("none", "se", "sa_eca")
GATE_ENDINGS = ("annealed", "cut")
_MEAN_MOMENTUM = 0.05  # of the running mean of the gate, as batch normalization keeps its own


class SqueezeExcitation(nn.Module):
    """One gate per channel from the global average (Hu et al. 2018, arXiv:1709.01507, eq. 2 and 3).

    g = sigmoid(W2 relu(W1 z)),  z = mean of x over its positions

    Args:
        channels: channels of the input.
        reduction: the hidden layer has ``channels / reduction`` units, at least 4.
    """

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        hidden = max(channels // reduction, 4)
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.excite = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to gates in (0, 1), (N, C, 1, 1)."""
        return torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3), keepdim=True)))))


class SpatialEca(nn.Module):
    """Gates from the channel neighbourhood of every region of the image.

    g[c, r] = sigmoid(sum over j of w[j] z[c + j, r]),  z[c, r] = mean of x[c] over region r

    ECA (Wang et al. 2020, arXiv:1910.03151, eq. 5 and 7) slides this 1-D convolution over the globally pooled
    channels. Here the pool is local: a grid of regions, so that a gate can differ between lesion and skin.

    Args:
        kernel_size: channels that a gate sees, odd.
        grid: regions along each axis.
    """

    def __init__(self, kernel_size: int = 3, grid: int = 4) -> None:
        super().__init__()
        self.grid = grid
        self.conv = nn.Conv2d(1, 1, (kernel_size, 1), padding=(kernel_size // 2, 0), bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to gates in (0, 1), one per region, (N, C, grid, grid)."""
        context = _pool_regions(x, self.grid)
        gates = self.conv(context.flatten(2).unsqueeze(1)).squeeze(1)  # (N, C, grid * grid)
        return torch.sigmoid(gates).reshape(-1, x.shape[1], self.grid, self.grid)


class AnnealedGate(nn.Module):
    """A gate that ends as a constant: x * ((1 - a) g(x) + a mean(g)), with a moved from 0 to 1 in training.

    In evaluation it is the constant already, x * mean(g): validation sees the network that will be folded.

    Args:
        gate: maps (N, C, H, W) to gates (N, C, 1, 1), or (N, C, g, g) for a grid of regions.
        channels: C.

    Attributes:
        annealing: a.
        mean: (1, C, 1, 1), running mean of the gate over data and positions.
    """

    annealing: Tensor
    mean: Tensor

    def __init__(self, gate: nn.Module, channels: int) -> None:
        super().__init__()
        self.gate = gate
        self.register_buffer("annealing", torch.zeros(()))
        self.register_buffer("mean", torch.full((1, channels, 1, 1), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) in and out."""
        share = float(self.annealing)
        if not self.training or share >= 1.0:
            return x * self.mean
        gates = self.gate(x)
        self.track(gates)
        # A copy, because the running mean changes in place before the backward pass. Blended before they are
        # spread over the map, where it is cheap.
        return _times_regions(x, torch.lerp(gates, self.mean.clone().expand_as(gates), share))

    def anneal(self, share: float) -> None:
        """Move to `share` of the way to the mean; a share is kept between 0 and 1."""
        self.annealing.fill_(min(max(share, 0.0), 1.0))

    @torch.no_grad()
    def track(self, gates: Tensor) -> None:
        """Let the running mean follow `gates` (N, C, h, w)."""
        self.mean.lerp_(gates.mean((0, 2, 3), keepdim=True), _MEAN_MOMENTUM)


class CutGate(AnnealedGate):
    """A gate that no annealing prepares for its end: x * g(x) in training and evaluation alike.

    Folding puts the mean in its place all the same, so what the cut costs shows between the float network,
    as validation saw it, and everything behind it. For ablations.
    """

    def forward(self, x: Tensor) -> Tensor:
        gates = self.gate(x)
        if self.training:
            self.track(gates)
        return _times_regions(x, gates)

    def anneal(self, share: float) -> None:
        """Nothing: the gate stays what it computes."""


class LiveGate(nn.Module):
    """A gate that stays one: x * g(x), always. The reference that the other forms are held against.

    No Akida generation multiplies two tensors, so every chip refuses it, and so does quantization.

    Args:
        gate: maps (N, C, H, W) to gates (N, C, 1, 1), or (N, C, g, g) for a grid of regions.
    """

    def __init__(self, gate: nn.Module) -> None:
        super().__init__()
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) in and out."""
        return _times_regions(x, self.gate(x))


def _pool_regions(x: Tensor, grid: int) -> Tensor:
    """Mean of each of grid x grid regions: (N, C, H, W) to (N, C, grid, grid)."""
    height, width = (int(side) for side in x.shape[2:])  # a tracing export wants plain kernel sizes
    if height % grid or width % grid:
        return F.adaptive_avg_pool2d(x, grid)
    return F.avg_pool2d(x, (height // grid, width // grid))  # the same, and far faster backwards


def _times_regions(x: Tensor, gates: Tensor) -> Tensor:
    """X times the gate of its region; gates are (N, C, 1, 1) or (N, C, grid, grid)."""
    (channels, height, width), grid = x.shape[1:], gates.shape[2]
    if grid == 1:
        return x * gates
    if height % grid or width % grid:
        return x * F.interpolate(gates, size=x.shape[2:], mode="nearest")
    # By reshaping, which ONNX can express, to (N, C, grid, H', grid, W').
    regions = x.reshape(-1, channels, grid, height // grid, grid, width // grid)
    return (regions * gates[:, :, :, None, :, None]).flatten(4).flatten(2, 3)


def set_gate_annealing(network: nn.Module, share: float) -> None:
    """Move every gate of `network` to `share` of the way (0 to 1) to its mean; cut gates stay."""
    for module in network.modules():
        if isinstance(module, AnnealedGate):
            module.anneal(share)


def make_gate(name: str, channels: int, *, ending: str, live: bool = False) -> nn.Module | None:
    """A gate by name.

    Args:
        name: ``none``, ``se`` or ``sa_eca``.
        channels: of what it gates.
        ending: how it becomes a constant: ``annealed`` in training, or ``cut`` when the network is folded.
        live: whether it stays data-dependent instead (`LiveGate`).

    Raises:
        QanaError: any other name or ending.
    """
    faults = [f"unknown attention {name!r}"] if name not in ATTENTION else []
    faults += [f"unknown end of a gate {ending!r}"] if ending not in GATE_ENDINGS else []
    if faults:
        raise QanaError(
            ", ".join(faults),
            where="backbone.ghost_attention / backbone.transition_attention / backbone.gate_ending",
            allowed=f"attention {', '.join(ATTENTION)}; ending {', '.join(GATE_ENDINGS)}",
            fix="choose one of these",
        )
    if name == "none":
        return None
    gate = SqueezeExcitation(channels) if name == "se" else SpatialEca()
    if live:
        return LiveGate(gate)
    return AnnealedGate(gate, channels) if ending == "annealed" else CutGate(gate, channels)
