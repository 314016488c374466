"""Where every module stands: which unit follows which, and what belongs to a unit."""

from __future__ import annotations

from torch import nn

from qana.backbone.attention import AnnealedGate
from qana.backbone.ghost import GhostModule
from qana.backbone.network import Network
from qana.backbone.residual import ResidualBlock
from qana.backbone.unit import SeparableUnit, Unit
from qana.conversion.capabilities.units import Place

# What may hold units; anything else is unknown to quantization and deployment.
COMPOSITES = (GhostModule, ResidualBlock)


def places_of(network: nn.Module) -> dict[Unit, Place]:
    """Every unit and where it stands, in network order."""
    units = [module for module in network.modules() if isinstance(module, Unit)]
    ghosts = [module for module in network.modules() if isinstance(module, GhostModule)]
    branches: set[Unit] = {unit for ghost in ghosts for unit in (ghost.primary, ghost.cheap)}
    for block in network.modules():
        if isinstance(block, ResidualBlock):
            ends = (block.shortcut, *list(block.branch)[-1:])
            branches |= {each for each in ends if isinstance(each, Unit)}
    return {
        unit: Place(
            first=index == 0,
            last=index == len(units) - 1,
            following=units[index + 1] if index + 1 < len(units) else None,
            copies_in=2 if isinstance(unit, SeparableUnit) and unit.ghost else 1,
            branch=unit in branches,
        )
        for index, unit in enumerate(units)
    }


def parts_of_units(network: nn.Module) -> set[nn.Module]:
    """Parts that `unit_faults` or `residual_faults` answers for, and gates, which fold away."""
    parts = {
        part
        for unit in network.modules()
        if isinstance(unit, (Unit, AnnealedGate))
        for part in unit.modules()
        if part is not unit or isinstance(unit, AnnealedGate)
    }
    for block in network.modules():
        if isinstance(block, ResidualBlock):
            parts.update((block.branch, block.sum))
            if isinstance(block.shortcut, nn.Identity):
                parts.add(block.shortcut)
    return parts


def is_frame(network: nn.Module, path: str, module: nn.Module) -> bool:
    """The network itself, its one container, and what may hold units."""
    if path == "":
        return isinstance(network, Network) and type(network).forward is Network.forward
    return (path == "blocks" and isinstance(module, nn.Sequential)) or isinstance(module, COMPOSITES)
