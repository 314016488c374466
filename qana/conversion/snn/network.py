"""The whole float network rewritten as a spiking one."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from qana.backbone.ghost import GhostModule
from qana.backbone.network import Network
from qana.backbone.unit import Unit
from qana.conversion.snn.layer import SpikingGhost, SpikingUnit


class SpikingNetwork:
    """Layers of spiking neurons with the weights of a folded network; its head collects the logits.

    Pixels are a constant current into the first layer (Rueckauer et al. 2017, doi:10.3389/fnins.2017.00682,
    "analog input"), and the head does not fire: its potential is read. All layers run in one step, the first
    one first, so a spike may cross the whole network at once.

    Args:
        folded: folded network of units and ghost modules; kept as it is.
        thresholds: path of each unit with neurons to its threshold (`balanced_thresholds`).
        initial_potential: of all neurons, as a share of their threshold.
    """

    def __init__(self, folded: Network, thresholds: Mapping[str, float], initial_potential: float) -> None:
        self.layers: list[SpikingUnit] = []
        self._thresholds, self._initial_potential = thresholds, initial_potential
        blocks = [self._spiking(block, f"blocks.{index}") for index, block in enumerate(folded.blocks)]
        first, *self._hidden, head = blocks
        assert isinstance(first, SpikingUnit)
        assert isinstance(head, SpikingUnit)
        self._first, self._head = first, head

    def rest(self) -> None:
        """Make ready for a new batch of images."""
        for layer in self.layers:
            layer.rest()

    def step(self, pixels: Tensor) -> Tensor:
        """One step.

        Args:
            pixels: (N, 3, H, W), float holding 0 to 255; the same at every step.

        Returns:
            (N, classes); the mean over all steps so far is the logits.
        """
        signal = self._first.see(pixels)
        for block in self._hidden:
            signal = block.step(signal)
        return self._head.current(signal).flatten(1)

    def _spiking(self, block: nn.Module, path: str) -> SpikingUnit | SpikingGhost:
        if isinstance(block, GhostModule):
            primary = self._unit(block.primary, f"{path}.primary")
            return SpikingGhost(primary, self._unit(block.cheap, f"{path}.cheap"))
        assert isinstance(block, Unit)
        return self._unit(block, path)

    def _unit(self, unit: Unit, path: str) -> SpikingUnit:
        layer = SpikingUnit(path, unit, self._thresholds.get(path), self._initial_potential)
        self.layers.append(layer)
        return layer
