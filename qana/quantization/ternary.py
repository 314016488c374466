"""Ternary weights: what 2 bits hold on a grid that is symmetric, with a scale that suits three values."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from qana.quantization.grid import SMALLEST_SCALE, weight_codes, weight_scale

WeightRule = Literal["max", "ternary"]

THRESHOLD = 0.7  # of the mean magnitude; Li et al. 2016 (arXiv:1605.04711, eq. 6)
SIGNIFICANT_BITS = 12


def ternary_scale(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Scale and threshold of ternary weights per output channel.

    delta = 0.7 mean|w|;  scale = mean of |w| over |w| > delta     (Li et al. 2016, eq. 5 and 6)

    The scale is rounded to 12 significant bits. Then the mean of weights that are all -scale, 0 or scale is
    that very scale again, so weights on the grid stay on it; and it is their largest magnitude, which is
    where quantizeml finds it (``weight_quantizer.py:WeightQuantizer.call``, value_bits = 1).

    Args:
        weight: (C_out, ...), float32.

    Returns:
        Scale (C_out,), at least 1e-6, and delta (C_out,).
    """
    magnitude = weight.detach().abs().flatten(1)
    delta = THRESHOLD * magnitude.mean(1)
    above = magnitude > delta[:, None]
    scale = (magnitude * above).sum(1) / above.sum(1).clamp_min(1)
    mantissa, exponent = torch.frexp(scale)
    rounded = torch.round(mantissa * 2**SIGNIFICANT_BITS) * 2.0**-SIGNIFICANT_BITS
    return torch.ldexp(rounded, exponent).clamp_min(SMALLEST_SCALE), delta


def ternary_codes(weight: Tensor, scale: Tensor, delta: Tensor) -> Tensor:
    """sign(w) where abs(w) > delta, else 0; the gradient passes as if it were w / scale.

    Args:
        weight: (C_out, ...), float32.
        scale: (C_out,).
        delta: (C_out,).
    """
    shape = (-1, *(1,) * (weight.ndim - 1))
    codes = torch.sign(weight) * (weight.abs() > delta.view(shape))
    in_codes = weight / scale.view(shape)
    # Not `in_codes + (codes - in_codes).detach()`: far above the scale that sum loses the last bit.
    return codes.detach() + (in_codes - in_codes.detach())


def scale_and_codes(weight: Tensor, bit_width: int, rule: WeightRule) -> tuple[Tensor, Tensor]:
    """Scale (C_out,) and codes of a weight under a rule; see `weight_scale` and `ternary_scale`."""
    if rule == "ternary":
        scale, delta = ternary_scale(weight)
        return scale, ternary_codes(weight, scale, delta)
    scale = weight_scale(weight, bit_width, per_channel=True)
    return scale, weight_codes(weight, scale, bit_width)
