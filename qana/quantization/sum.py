"""The sum of two branches on the integers of Akida v2."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from qana.quantization.grid import ActivationGrid, bounded_grid, floor_through

# Without a sign, at every bit-width: ``Layer 'add': Output must be 8-bit.`` (mapping, akida 2.19.3).
SUM_BITS = 7


class QuantizedSum(nn.Module):
    """An ``akida.Add``: align, add, shift to the output's step with rounding, saturate.

    f = max(f_a, f_b);  y = floor((a 2**(f - f_a) + b 2**(f - f_b)) 2**(f_y - f) + 0.5), at most 127

    Source: ``quantizeml/layers/multi_inbounds.py:QuantizedAdd.call``,
    ``quantizeml/tensors/fixed_point.py:FixedPoint.align`` and ``rescale``. Codes are not negative, so nothing
    saturates at the lower end, and 32 bits hold every sum.

    Args:
        bound: of the sum, real units, a power of two; the top of the output range stands for it.
    """

    def __init__(self, bound: float) -> None:
        super().__init__()
        self.bound = bound
        self.input_grids: tuple[ActivationGrid, ActivationGrid] | None = None

    @property
    def output_grid(self) -> ActivationGrid:
        """Grid of the output."""
        return bounded_grid(SUM_BITS, self.bound)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Codes (N, C, H, W), twice, to codes (N, C, H, W)."""
        if self.input_grids is None:
            raise RuntimeError("a quantized sum is used before it was linked to its input grids")
        first, second = (grid.frac_bits for grid in self.input_grids)
        finest = max(first, second)
        total = a * 2.0 ** (finest - first) + b * 2.0 ** (finest - second)
        grid = self.output_grid
        codes = floor_through(total * 2.0 ** (grid.frac_bits - finest) + 0.5)
        return torch.clamp(codes, max=grid.largest_code)

    def extra_repr(self) -> str:
        return f"bound={self.bound:g}"
