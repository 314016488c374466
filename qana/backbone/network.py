"""What every backbone is: a sequence of blocks from 8-bit pixels to logits."""

from __future__ import annotations

from torch import Tensor, nn

from qana.backbone.complexity import Complexity, complexity

__all__ = ["PIXEL_SCALE", "Complexity", "Network", "complexity"]

PIXEL_SCALE = 1.0 / 255.0


class Network(nn.Module):
    """A chain of blocks.

    Args:
        name: family name for the report, such as ``qana``.
        form: ``separable`` (Akida v1) or ``concat`` (Akida v2).
        blocks: units and modules of units, stem first, head last.
        symmetry: what their channels share, and training has to keep shared (`qana.backbone.symmetry`).
    """

    def __init__(self, *, name: str, form: str, blocks: list[nn.Module], symmetry: str = "none") -> None:
        super().__init__()
        self.name = name
        self.form = form
        self.symmetry = symmetry
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Pixels (N, 3, H, W), float holding 0 to 255, to logits (N, classes)."""
        return self.blocks(x).flatten(1)
