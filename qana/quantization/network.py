"""A whole network on the chip's integers: folded, calibrated, every unit linked to the grid it reads."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from qana.backbone.bounded_sum import BoundedSum
from qana.backbone.ghost import GhostModule
from qana.backbone.network import Network
from qana.backbone.residual import ResidualBlock
from qana.backbone.unit import Unit
from qana.quantization.grid import PIXELS, ActivationGrid
from qana.quantization.sum import QuantizedSum
from qana.quantization.ternary import WeightRule
from qana.quantization.unit import Bits, QuantizedUnit


class QuantizedNetwork(nn.Module):
    """The network that validation sees and the chip runs.

    Args:
        folded: a folded network; copied.
        bits: bit-widths of every unit but the first.
        input_weight_bits: weight bits of the first unit, which reads 8-bit pixels.
        generation: Akida generation, 1 or 2.
    """

    def __init__(self, folded: Network, *, bits: Bits, input_weight_bits: int, generation: int) -> None:
        super().__init__()
        self.name, self.form, self.symmetry = folded.name, folded.form, folded.symmetry
        self.bits, self.input_weight_bits, self.generation = bits, input_weight_bits, generation
        self.blocks = copy.deepcopy(folded.blocks)
        self._replace_units(self.blocks)
        self.link()

    def forward(self, x: Tensor) -> Tensor:
        """Pixels (N, 3, H, W), float holding 0 to 255, to logits (N, classes)."""
        return self.blocks(x).flatten(1)

    def units(self) -> list[QuantizedUnit]:
        """All units, from the stem to the head."""
        return [module for module in self.modules() if isinstance(module, QuantizedUnit)]

    def layers(self) -> list[QuantizedUnit | QuantizedSum]:
        """All layers of the program that give integers of their own: units, and sums of branches."""
        return [module for module in self.modules() if isinstance(module, (QuantizedUnit, QuantizedSum))]

    def link(self) -> None:
        """Tell every unit the grid of its input; called again whenever a bound has changed."""
        grid: ActivationGrid | None = PIXELS
        for block in self.blocks:
            assert grid is not None
            grid = _link(block, grid)

    def set_weight_rule(self, rule: WeightRule) -> None:
        """Choose how weights get their scales behind the first unit; depthwise kernels keep ``max``."""
        for unit in self.units()[1:]:
            if unit.unit.weighted()[-1].groups == 1:
                unit.rule = rule

    def snap(self) -> None:
        """Put all weights on their grids (see `QuantizedUnit.snap`), learned ranges into them."""
        for unit in self.units():
            unit.snap()
        for unit in self.units():  # only now: a range stands in two units
            if unit.range is not None:
                nn.init.zeros_(unit.range.log2)

    def _replace_units(self, parent: nn.Module) -> None:
        for name, child in parent.named_children():
            if isinstance(child, Unit):
                setattr(parent, name, self._quantized(child))
            elif isinstance(child, BoundedSum):
                setattr(parent, name, QuantizedSum(child.bound))
            else:
                self._replace_units(child)

    def _quantized(self, unit: Unit) -> QuantizedUnit:
        first = unit is self.blocks[0]
        weight_bits = self.input_weight_bits if first else self.bits.weight
        bits = Bits(weight_bits, self.bits.activation, self.bits.pooled)
        return QuantizedUnit(unit, bits=bits, generation=self.generation)


def _link(block: nn.Module, grid: ActivationGrid) -> ActivationGrid | None:
    if isinstance(block, QuantizedUnit):
        block.input_grid = grid
        return block.output_grid
    if isinstance(block, ResidualBlock):
        return _link_residual(block, grid)
    if isinstance(block, GhostModule):
        primary = _link(block.primary, grid)
        assert primary is not None
        cheap = _link(block.cheap, primary)
        if primary != cheap:
            raise RuntimeError(f"the branches of a ghost module end on two grids: {primary}, {cheap}")
        return primary
    raise TypeError(f"no rule to link a {type(block).__name__}")


def _link_residual(block: ResidualBlock, grid: ActivationGrid) -> ActivationGrid:
    around: ActivationGrid | None = grid
    if isinstance(block.shortcut, QuantizedUnit):
        around = _link(block.shortcut, grid)
    through: ActivationGrid | None = grid
    for unit in block.branch:
        assert through is not None
        through = _link(unit, through)
    if around is None or through is None or not isinstance(block.sum, QuantizedSum):
        raise RuntimeError("a way through a residual block ends without an activation")
    block.sum.input_grids = (around, through)
    return block.sum.output_grid
