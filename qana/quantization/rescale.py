"""From accumulator to activation: the one step in which the two Akida generations compute differently."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from qana.backbone.unit import Pool
from qana.quantization.grid import (
    ActivationGrid,
    bound_codes,
    ceil_through,
    floor_through,
    scale_mantissa,
)

V1_STEP_FRACTION = 16  # akida v1 keeps a step in sixteenths and drops the rest; see `rescale_v1`


@dataclass(frozen=True)
class Accumulator:
    """What a linear layer leaves behind.

    Attributes:
        codes: (N, C, H, W) whole numbers, without bias.
        bias: (C,) whole numbers on the same grid.
        scale: (C,), real units per code at ``frac_bits = 0``, float32.
        frac_bits: of the layer's input.
    """

    codes: Tensor
    bias: Tensor
    scale: Tensor
    frac_bits: int

    def logits(self) -> Tensor:
        """The accumulator in real units."""
        codes = self.codes + _per_channel(self.bias, self.codes)
        return codes * _per_channel(self.scale, codes) * 2.0**-self.frac_bits


def rescale_v1(acc: Accumulator, grid: ActivationGrid, *, pool: Pool, bound: float) -> Tensor:
    """Activation codes as an AKD1000 gives them.

    threshold = -bias + round(step / 2);  code = ceil((acc - threshold) / step'), clipped to the grid

    with step = 1 / output scale and step' = floor(16 step) / 16. Threshold and step are set by
    ``cnn2snn/quantizeml/outputs.py:set_output_v1_variables``; the division was found by trying: over 131,072
    outputs of a separable layer this rule gives what akida 2.19.3 gives, rounding up with the whole step
    misses 47. The bound needs no clipping of its own: it lies above the largest code.

    Args:
        acc: accumulator of the layer.
        grid: of the output.
        pool: ``global_before_relu`` sums the positions first and multiplies the threshold by their number.
        bound: of the ReLU, real units; the grid was made for it.

    Returns:
        (N, C, H', W') whole numbers, 0 to ``grid.largest_code``.
    """
    del bound
    codes, bias, scale = acc.codes, acc.bias, acc.scale
    if pool == "max":
        codes = F.max_pool2d(codes, 2, 2, ceil_mode=True)
    if pool == "global_before_relu":
        positions = codes.shape[2] * codes.shape[3]
        codes, bias, scale = codes.sum((2, 3), keepdim=True), bias * positions, scale / positions
    mantissa, exponent = scale_mantissa(scale)
    shift = grid.frac_bits - (acc.frac_bits + exponent)
    step = torch.exp2(-shift) / mantissa  # (C,) float32, as the SDK divides it
    threshold = torch.round(0.5 * step) - bias
    sixteenths = torch.floor(V1_STEP_FRACTION * step)
    distance = codes - _per_channel(threshold, codes)
    levels = ceil_through(V1_STEP_FRACTION * distance / _per_channel(sixteenths, codes))
    return levels.clamp(0, grid.largest_code)


def rescale_v2(acc: Accumulator, grid: ActivationGrid, *, pool: Pool, bound: float) -> Tensor:
    """Activation codes as an Akida v2 node gives them.

    code = floor(clip(acc + bias, 0, bound) * mantissa * 2**shift + 0.5), saturated

    Source: ``quantizeml/tensors/fixed_point.py:FixedPoint.rescale``, ``layers/activations.py:QuantizedReLU``,
    ``layers/pooling.py:QuantizedGlobalAveragePooling2D`` (which sums before it rescales).

    Args:
        acc: accumulator of the layer.
        grid: of the output.
        pool: ``max`` or ``global_after_relu`` or none.
        bound: of the ReLU, real units.

    Returns:
        (N, C, H', W') whole numbers, 0 to ``grid.largest_code``.
    """
    codes, scale = acc.codes + _per_channel(acc.bias, acc.codes), acc.scale
    if pool == "max":
        codes = F.max_pool2d(codes, 2, 2, ceil_mode=True)
    ceiling = _per_channel(bound_codes(bound, scale, acc.frac_bits), codes)
    codes = torch.minimum(codes.clamp_min(0), ceiling)
    if pool == "global_after_relu":
        positions = codes.shape[2] * codes.shape[3]
        codes, scale = codes.sum((2, 3), keepdim=True), scale / positions
    mantissa, exponent = scale_mantissa(scale)
    shift = grid.frac_bits - (acc.frac_bits + exponent)
    factor = _per_channel(mantissa, codes) * torch.exp2(_per_channel(shift, codes))
    return floor_through(codes * factor + 0.5).clamp(max=grid.largest_code)


def _per_channel(values: Tensor, like: Tensor) -> Tensor:
    """(C,) as (1, C, 1, 1) in the precision of `like`."""
    return values.to(like.dtype).view(1, -1, 1, 1)
