"""What every backbone is: a sequence of blocks from 8-bit pixels to logits, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from qana.backbone.unit import Unit

PIXEL_SCALE = 1.0 / 255.0


class Network(nn.Module):
    """A chain of blocks.

    Args:
        name: family name for the report, such as ``qana``.
        form: ``separable`` (Akida v1) or ``concat`` (Akida v2).
        blocks: units and modules of units, stem first, head last.
    """

    def __init__(self, *, name: str, form: str, blocks: list[nn.Module]) -> None:
        super().__init__()
        self.name = name
        self.form = form
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Pixels (N, 3, H, W), float holding 0 to 255, to logits (N, classes)."""
        return self.blocks(x).flatten(1)


@dataclass(frozen=True)
class Complexity:
    """Static cost of a network for one image.

    Attributes:
        parameters: trainable parameters, attention included while it is there.
        macs: multiply-accumulates of the convolutions and the head.
    """

    parameters: int
    macs: int


def complexity(network: nn.Module, image_shape: tuple[int, int, int]) -> Complexity:
    """Count parameters and multiply-accumulates.

    Args:
        network: takes pixels (N, 3, H, W).
        image_shape: (H, W, 3).
    """
    macs = 0

    def count(module: nn.Conv2d, _: object, output: Tensor) -> None:
        nonlocal macs
        macs += module.weight[0].numel() * output[0].numel()

    convolutions = [conv for unit in network.modules() if isinstance(unit, Unit) for conv in unit.weighted()]
    hooks = [conv.register_forward_hook(count) for conv in convolutions]
    training = network.training
    with torch.no_grad():
        network.eval()(torch.zeros(1, image_shape[2], *image_shape[:2]))
    network.train(training)
    for hook in hooks:
        hook.remove()
    return Complexity(parameters=sum(p.numel() for p in network.parameters()), macs=macs)
