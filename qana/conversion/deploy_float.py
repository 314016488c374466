"""The trained float network as plain layers, for tools that quantize after training."""

from __future__ import annotations

from torch import nn

from qana.backbone.ghost import GhostModule
from qana.backbone.network import Network
from qana.backbone.unit import SeparableUnit, Unit
from qana.conversion.deploy import DeployedGhost, DeployedUnit
from qana.errors import QanaError, listed


def deploy_float(folded: Network) -> nn.Sequential:
    """Rewrite a folded float network into the layers that `deploy` makes of its quantized twin.

    Args:
        folded: from `qana.quantization.fold`; left as it is.

    Returns:
        Pixels (N, 3, H, W) to logits (N, classes), ready for ONNX; equal to `folded` up to float rounding.

    Raises:
        QanaError: a block that is neither a unit nor a ghost module; names it.
    """
    blocks = list(folded.blocks)
    unknown = [
        f"blocks.{index} ({type(block).__name__})"
        for index, block in enumerate(blocks)
        if not isinstance(block, (Unit, GhostModule))
    ]
    if unknown:
        raise QanaError(
            f"the float network cannot be written as plain layers: {listed(unknown)}",
            where="backbone",
            allowed="units and ghost modules",
            fix="choose a backbone of units and ghost modules",
        )
    pairs = zip(blocks, [*blocks[1:], None], strict=True)
    return nn.Sequential(*(_deployed(block, following) for block, following in pairs)).eval()


def _deployed(block: nn.Module, following: nn.Module | None) -> nn.Module:
    if isinstance(block, GhostModule):
        return DeployedGhost(DeployedUnit(block.primary, copies=1), DeployedUnit(block.cheap, copies=1))
    assert isinstance(block, Unit)
    doubled = isinstance(following, SeparableUnit) and following.ghost
    return DeployedUnit(block, copies=2 if doubled else 1)
