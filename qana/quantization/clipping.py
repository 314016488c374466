"""Where to clip an activation, chosen on what a layer says to real images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

ClipMethod = Literal["max", "percentile", "mse"]

CLIP_CANDIDATES = 40
SAMPLES_PER_LAYER = 100_000
DEAD_CLIP = 1.0  # of a layer that is zero everywhere: any bound is as good


@dataclass(frozen=True)
class Clipping:
    """How calibration chooses the upper end of an activation's range.

    Attributes:
        method: ``max`` is the largest value; ``percentile`` the value that `percentile` per cent stay below,
            counted over the values above zero (Wu et al. 2020, arXiv:2004.09602, section 5.2, count all; a
            ReLU's zeros need no level); ``mse`` the bound that loses least in the mean square.
        percentile: above 0, at most 100; only ``percentile`` reads it.
        value_bits: bits of the activation, without a sign; only ``mse`` reads it.
    """

    method: ClipMethod
    percentile: float
    value_bits: int

    def __call__(self, values: Tensor) -> float:
        """The clipping value for `values` (any shape, not negative, finite); 1 where all are zero."""
        if self.method == "mse":
            return best_clip(values, self.value_bits)
        largest = float(values.max())
        if largest <= 0.0:
            return DEAD_CLIP
        if self.method == "max":
            return largest
        flat = _sample(values.flatten())
        return float(torch.quantile(flat[flat > 0], self.percentile / 100))


def best_clip(values: Tensor, value_bits: int) -> float:
    """The upper bound under which `values` lose least in the mean square on ``2**value_bits`` levels.

    Args:
        values: any shape, not negative.
        value_bits: bits without a sign.

    Returns:
        A share of the largest value; 1.0 where all values are zero.
    """
    flat = _sample(values.flatten())
    largest = float(flat.max())
    if largest <= 0.0:
        return DEAD_CLIP
    clips = [largest * (index + 1) / CLIP_CANDIDATES for index in range(CLIP_CANDIDATES)]
    errors = [quantization_error(flat, clip, value_bits) for clip in clips]
    return clips[errors.index(min(errors))]


def _sample(flat: Tensor) -> Tensor:
    return flat[:: max(1, flat.numel() // SAMPLES_PER_LAYER)]


def quantization_error(values: Tensor, clip: float, value_bits: int) -> float:
    """Mean square that `values` lose, clipped at `clip` and rounded to ``2**value_bits`` levels."""
    step = clip / 2**value_bits
    codes = torch.floor(values / step + 0.5).clamp(0, 2**value_bits - 1)
    return float((codes * step - values).square().mean())
