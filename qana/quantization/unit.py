"""A unit of the backbone, computed on the integers of the chip."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from qana.backbone.padding import convolve_same
from qana.backbone.unit import SeparableUnit, Unit
from qana.quantization.grid import (
    ActivationGrid,
    bias_codes,
    bounded_grid,
    weight_codes,
    weight_scale,
)
from qana.quantization.rescale import Accumulator, rescale_v1, rescale_v2
from qana.quantization.ternary import WeightRule, scale_and_codes

IDENTITY_WEIGHT = 1.0  # the centre of the kernels that pass x on in a ghost unit's [x, depthwise(x)]


@dataclass(frozen=True)
class Bits:
    """Bit-widths of one unit.

    Attributes:
        weight: bits of a weight, sign included.
        activation: bits of an activation without a sign: 4 at a4, 7 at a8 (Akida v2 keeps 8-bit
            activations signed, ``quantizeml/models/quantize.py:_prepare_output_quantizers``).
        pooled: bits without a sign behind a global pool.
    """

    weight: int
    activation: int
    pooled: int


class LearnedRange(nn.Module):
    """The range r of one layer's activations, as its logarithm: always positive, 1 at first."""

    def __init__(self) -> None:
        super().__init__()
        self.log2 = nn.Parameter(torch.zeros(()))

    def forward(self) -> Tensor:
        """r, ()."""
        return torch.exp2(self.log2)


@dataclass(frozen=True)
class InputRange:
    """Whose range how many channels of an input have."""

    range: LearnedRange
    channels: int

    def factors(self) -> Tensor:
        """(channels,), what weights on these channels are multiplied by."""
        return self.range().expand(self.channels)


class QuantizedUnit(nn.Module):
    """One layer of the Akida program: integer codes in, integer codes out (or logits, at the end).

    In training it runs in float32; in evaluation in float64, where every integer of the program is exact on
    every device. Weights stay float parameters underneath and are snapped to their grid in each pass; the
    gradient passes straight through.

    Args:
        unit: a folded unit, taken over.
        bits: its bit-widths.
        generation: Akida generation, 1 or 2.
    """

    def __init__(self, unit: Unit, *, bits: Bits, generation: int) -> None:
        super().__init__()
        self.unit = unit
        self.bits = bits
        self.generation = generation
        self.input_grid: ActivationGrid | None = None
        self.rule: WeightRule = "max"  # of full and pointwise weights; depthwise ones always take "max"
        self.range: LearnedRange | None = None  # set, with the next line, by `learn_ranges`
        self.input_ranges: tuple[InputRange, ...] = ()

    @property
    def output_grid(self) -> ActivationGrid | None:
        """Grid of the output; None where the unit gives logits."""
        if self.unit.relu is None:
            return None
        pooled = self.unit.pool == "global_after_relu"
        return bounded_grid(self.bits.pooled if pooled else self.bits.activation, self.unit.relu.bound)

    def forward(self, x: Tensor) -> Tensor:
        """Codes (N, C_in, H, W) to codes (N, C_out, H', W'), or to logits in real units."""
        acc = self.accumulate(x if self.training else x.double())
        grid, relu = self.output_grid, self.unit.relu
        if grid is None or relu is None:
            return acc.logits().float()
        rescale = rescale_v1 if self.generation == 1 else rescale_v2
        return rescale(acc, grid, pool=self.unit.pool, bound=relu.bound)

    def accumulate(self, x: Tensor) -> Accumulator:
        """The linear part over codes.

        sums[o] = sum over i of w[o, i] * x[i];  real value = (sums + bias) * scale[o] * 2**-frac_bits

        with w on the grid of `scale_and_codes`, the bias on the accumulator's (`bias_codes`) and, in a
        separable unit, the depthwise codes first, whose one scale multiplies the pointwise ones. Source:
        ``quantizeml/layers/convolution.py:QuantizedConv2D``, ``depthwise_convolution.py``, ``dense.py`` and
        ``separable_convolution.py:QuantizedSeparableConv2D``. Every sum is a whole number below 2**24 at 4
        bits, so float32 holds it exactly.

        Args:
            x: codes (N, C_in, H, W) on `input_grid`.
        """
        if self.input_grid is None:
            raise RuntimeError("a quantized unit is used before it was linked to its input grid")
        *first, conv = self.unit.weighted()
        weight, bias = self.ranged()
        scale, codes = scale_and_codes(weight, self.bits.weight, self.rule)
        if isinstance(self.unit, SeparableUnit):
            x, depthwise_scale = self._depthwise(x, first[0], ghost=self.unit.ghost)
            scale = depthwise_scale * scale
        sums = convolve_same(x, codes.to(x.dtype), stride=conv.stride[0], groups=conv.groups)
        codes_of_bias = bias_codes(bias, scale, self.input_grid.frac_bits)
        return Accumulator(sums, codes_of_bias, scale, self.input_grid.frac_bits)

    def ranged(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the last convolution, W * r_in / r_out and b / r_out, as the chip gets them."""
        conv = self.unit.weighted()[-1]
        weight, bias = conv.weight, conv.bias
        assert bias is not None
        if self.input_ranges:
            factor = torch.cat([each.factors() for each in self.input_ranges])
            if isinstance(self.unit, SeparableUnit) and self.unit.ghost:
                factor = factor.repeat(2)  # [x, depthwise(x)]
            depthwise = conv.groups > 1
            weight = weight * (factor.view(-1, 1, 1, 1) if depthwise else factor.view(1, -1, 1, 1))
        if self.range is not None:
            weight, bias = weight / self.range(), bias / self.range()
        return weight, bias

    def _depthwise(self, x: Tensor, conv: nn.Conv2d, *, ghost: bool) -> tuple[Tensor, Tensor]:
        """Depthwise sums over x, behind x itself in a ghost unit, and the one scale of the kernels."""
        scale = self.depthwise_scale(conv, ghost=ghost)
        codes = weight_codes(conv.weight, scale, self.bits.weight)
        cheap = convolve_same(x, codes.to(x.dtype), stride=conv.stride[0], groups=conv.groups)
        if not ghost:
            return cheap, scale
        identity = weight_codes(torch.full_like(scale, IDENTITY_WEIGHT), scale, self.bits.weight)
        return torch.cat((x * identity.to(x.dtype), cheap), 1), scale

    def depthwise_scale(self, conv: nn.Conv2d, *, ghost: bool) -> Tensor:
        """(), the scale shared by all depthwise kernels, the identity ones of a ghost unit included."""
        weight = conv.weight
        if ghost:
            weight = torch.cat((weight.flatten(), weight.new_tensor([IDENTITY_WEIGHT])))
        return weight_scale(weight, self.bits.weight, per_channel=False)

    @torch.no_grad()
    def snap(self) -> None:
        """Put the float weights on their own grid, so that whoever reads them next finds the same codes.

        Learned ranges are in the weights then; `QuantizedNetwork.snap` sets them back to 1.
        """
        *first, conv = self.unit.weighted()
        weight, bias = self.ranged()
        scale, codes = scale_and_codes(weight, self.bits.weight, self.rule)
        conv.weight.copy_(codes * scale.view(-1, 1, 1, 1))
        assert conv.bias is not None
        conv.bias.copy_(bias)
        if isinstance(self.unit, SeparableUnit):
            scale = self.depthwise_scale(first[0], ghost=self.unit.ghost)
            first[0].weight.copy_(weight_codes(first[0].weight, scale, self.bits.weight) * scale)
