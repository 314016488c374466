"""From accumulator to activation: the one step in which the two Akida generations compute differently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from qana.backbone.unit import Pool
from qana.quantization.grid import (
    ActivationGrid,
    bound_codes,
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
    return StepsUp.apply(codes, threshold, sixteenths, grid.largest_code)


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
    codes, bias, scale = acc.codes, acc.bias, acc.scale
    if pool == "max":  # of sums without their bias: the largest stays the largest
        codes = F.max_pool2d(codes, 2, 2, ceil_mode=True)
    ceiling = bound_codes(bound, scale, acc.frac_bits)
    if pool == "global_after_relu":
        positions = codes.shape[2] * codes.shape[3]
        clipped = (codes + _per_channel(bias, codes)).clamp_min(0)
        codes = torch.minimum(clipped, _per_channel(ceiling, codes)).sum((2, 3), keepdim=True)
        bias, ceiling, scale = torch.zeros_like(bias), positions * ceiling, scale / positions
    mantissa, exponent = scale_mantissa(scale)
    shift = grid.frac_bits - (acc.frac_bits + exponent)
    factor = mantissa.to(codes.dtype) * torch.exp2(shift.to(codes.dtype))
    return StepsHalfUp.apply(codes, bias, ceiling, factor, grid.largest_code)


class StepsUp(torch.autograd.Function):
    """ceil(16 (x - threshold) / sixteenths), clipped to 0 to `largest`.

    The gradient passes straight through the rounding (Bengio et al. 2013, arXiv:1308.3432) and stops where
    the clipping cuts. A function of its own, because what torch keeps and computes for each operation of it
    would make a training step about a quarter longer (`scripts/bench_qat.py`); a mask is enough.
    """

    @staticmethod
    def forward(ctx: Any, codes: Tensor, threshold: Tensor, sixteenths: Tensor, largest: int) -> Tensor:
        """(N, C, H, W) and (C,) twice, to whole numbers (N, C, H, W)."""
        divisor = _per_channel(sixteenths, codes)
        levels = (codes - _per_channel(threshold, codes)).mul_(V1_STEP_FRACTION).div_(divisor).ceil_()
        ctx.save_for_backward(_within(levels, largest), divisor)
        return levels.clamp_(0, largest)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """To the sums and, negative and summed over images and positions, to the thresholds."""
        inside, divisor = ctx.saved_tensors
        passed = (gradients[0] * inside).div_(divisor).mul_(V1_STEP_FRACTION)
        return passed, passed.sum((0, 2, 3)).neg_(), None, None


class StepsHalfUp(torch.autograd.Function):
    """floor(clip(x + bias, 0, ceiling) * factor + 0.5), saturated at `largest`; as `StepsUp` otherwise."""

    @staticmethod
    def forward(
        ctx: Any, codes: Tensor, bias: Tensor, ceiling: Tensor, factor: Tensor, largest: int
    ) -> Tensor:
        """(N, C, H, W) and (C,) three times, to whole numbers (N, C, H, W)."""
        factor, ceiling = _per_channel(factor, codes), _per_channel(ceiling, codes)
        sums = codes + _per_channel(bias, codes)
        inside = _within(sums, ceiling)
        levels = sums.clamp_(torch.zeros_like(ceiling), ceiling).mul_(factor).add_(0.5).floor_()
        ctx.save_for_backward(inside.logical_and_(levels <= largest), factor)
        return levels.clamp_(max=largest)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        """To the sums and, summed over images and positions, to the biases."""
        inside, factor = ctx.saved_tensors
        passed = (gradients[0] * inside).mul_(factor)
        return passed, passed.sum((0, 2, 3)), None, None, None


def _within(values: Tensor, largest: Tensor | int) -> Tensor:
    return (values >= 0).logical_and_(values <= largest)


def _per_channel(values: Tensor, like: Tensor) -> Tensor:
    """(C,) as (1, C, 1, 1) in the precision of `like`."""
    return values.to(like.dtype).view(1, -1, 1, 1)
