"""The integer grids of an Akida program, as quantizeml 1.2.5 and cnn2snn 2.19.3 lay them out.

A quantized tensor is held as float numbers that are whole (its codes). A weight is ``code * scale`` with one
scale per output channel; an activation is ``code * 2**-frac_bits``; an accumulator shares both. Everything
here works in float32 on purpose: the SDK derives scales and biases in float32, and so do we, to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

BIAS_BITS = 8  # signed; quantizeml's AlignedWeightQuantizer default
SCALE_BITS = 8  # mantissa of an output scale; quantizeml's OutputQuantizer default
BOUND_BITS = 8  # unsigned; max_value of a QuantizedReLU
SMALLEST_SCALE = 1e-6  # quantizeml/layers/quantizers/weight_quantizer.py


@dataclass(frozen=True)
class ActivationGrid:
    """Where an activation lives.

    Attributes:
        value_bits: bits without the sign; the largest code is ``2**value_bits - 1``.
        frac_bits: one step is ``2**-frac_bits`` in real units.
    """

    value_bits: int
    frac_bits: int

    @property
    def largest_code(self) -> int:
        return 2**self.value_bits - 1

    @property
    def range_max(self) -> float:
        """Largest real value on the grid; what an OutputQuantizer has to be given to land on it."""
        return self.largest_code * 2.0**-self.frac_bits


PIXELS = ActivationGrid(value_bits=8, frac_bits=0)


def bounded_grid(value_bits: int, bound: float) -> ActivationGrid:
    """The grid of a ReLU bounded at a power of two.

    Example:
        >>> bounded_grid(4, bound=2.0)
        ActivationGrid(value_bits=4, frac_bits=3)
    """
    return ActivationGrid(value_bits, value_bits - round(torch.tensor(bound).log2().item()))


def ceil_log2(x: Tensor) -> Tensor:
    """Exponent of the power of two at or above each element (``quantizeml/tensors/qtensor.py:ceil_log2``)."""
    return torch.ceil(torch.log2(x))


def round_through(x: Tensor) -> Tensor:
    """Round half to even; the gradient passes unchanged (Bengio et al. 2013, arXiv:1308.3432)."""
    return x + (torch.round(x) - x).detach()


def floor_through(x: Tensor) -> Tensor:
    """Round down; the gradient passes unchanged."""
    return x + (torch.floor(x) - x).detach()


def weight_scale(weight: Tensor, bit_width: int, *, per_channel: bool) -> Tensor:
    """Real units per code: the largest weight over ``2**(b-1) - 1``.

    Args:
        weight: (C_out, ...), float32.
        bit_width: bits including the sign, 2 to 8.
        per_channel: one scale per output channel, or one for the whole tensor.

    Returns:
        (C_out,) or (); at least 1e-6. Source: ``weight_quantizer.py:WeightQuantizer.call``.
    """
    magnitude = weight.detach().abs()
    largest = magnitude.flatten(1).amax(1) if per_channel else magnitude.amax()
    return (largest / (2 ** (bit_width - 1) - 1)).clamp_min(SMALLEST_SCALE)


def weight_codes(weight: Tensor, scale: Tensor, bit_width: int) -> Tensor:
    """round(w / scale), clipped to the signed range; gradients pass as if it were w / scale.

    Args:
        weight: (C_out, ...), float32.
        scale: (C_out,) or ().
        bit_width: bits including the sign.
    """
    if scale.ndim:
        scale = scale.view(-1, *(1,) * (weight.ndim - 1))
    largest = 2 ** (bit_width - 1) - 1
    return round_through(weight / scale).clamp(-largest - 1, largest)


def bias_codes(bias: Tensor, scale: Tensor, frac_bits: int) -> Tensor:
    """The bias on the accumulator's grid: 7 bits and a sign, shifted left to ``scale * 2**-frac_bits``.

    Args:
        bias: (C,), real units.
        scale: (C,), real units per accumulator code at ``frac_bits = 0``.
        frac_bits: of the accumulator.

    Returns:
        (C,) whole numbers. Source: ``aligned_weight_quantizer.py:AlignedWeightQuantizer.call``.
    """
    return _aligned(bias, scale, frac_bits, value_bits=BIAS_BITS - 1)


def bound_codes(bound: float, scale: Tensor, frac_bits: int) -> Tensor:
    """A ReLU's bound on the accumulator's grid, 8 bits without a sign, (C,)."""
    return _aligned(torch.full_like(scale, bound), scale, frac_bits, value_bits=BOUND_BITS)


def _aligned(value: Tensor, scale: Tensor, frac_bits: int, *, value_bits: int) -> Tensor:
    in_codes = value / scale
    own_frac_bits = value_bits - ceil_log2(value.detach().abs() / scale)
    own_frac_bits = own_frac_bits.clamp(max=min(value_bits, frac_bits))
    largest = 2**value_bits - 1
    codes = round_through(in_codes * torch.exp2(own_frac_bits)).clamp(-largest - 1, largest)
    return codes * torch.exp2(frac_bits - own_frac_bits)


def scale_mantissa(scale: Tensor) -> tuple[Tensor, Tensor]:
    """An output scale as 8-bit mantissa and exponent: scale ~ mantissa * 2**-exponent.

    Args:
        scale: (C,), float32, positive.

    Returns:
        Mantissa (C,), whole, at most 255; exponent (C,), whole. Source: ``qfloat.py:QFloat.quantize_scales``.
    """
    exponent = SCALE_BITS - ceil_log2(scale)
    mantissa = torch.round(scale * torch.exp2(exponent)).clamp(max=2**SCALE_BITS - 1)
    return mantissa, exponent
