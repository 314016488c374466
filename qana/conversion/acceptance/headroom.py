"""How close the sums of a layer come to the end of the register that holds them.

Past its end a sum wraps or saturates and nothing says so: a global average pool of Akida v2 is wrong as soon
as sum(potential x output scale) reaches 2**31, and not before (all of 42 wrong values tried, akida 2.19.3).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from qana.quantization.grid import bound_codes, scale_mantissa
from qana.quantization.rescale import Accumulator
from qana.quantization.unit import QuantizedUnit


@dataclass(frozen=True)
class Register:
    """Where a sum is held.

    Attributes:
        holds: what, in words.
        bits: width, sign included.
    """

    holds: str
    bits: int

    @property
    def limit(self) -> float:
        """First magnitude that does not fit."""
        return float(2 ** (self.bits - 1))

    def headroom_bits(self, largest: float) -> float:
        """log2 of the limit over the largest magnitude seen; 0 and less means that it did not fit."""
        return math.log2(self.limit / max(largest, 1.0))


# `buffer_bits` and `post_op_buffer_bits` of the layers of akida 2.19.3.
POTENTIAL_V2 = Register("its accumulator", 28)
SCALED_V2 = Register("accumulator x output scale", 32)
POOLED_V2 = Register("the pooled sum of accumulator x output scale", 32)
# The SDK gives the widths of the thresholds that the sums are compared with (`qana.conversion.v1_limits`);
# a sum beyond them could not be told from its threshold.
SUM_V1 = Register("its accumulator", 20)
POOLED_V1 = Register("the pooled sum of its accumulator", 20)
INPUT_SUM_V1 = Register("its accumulator", 24)


def register_loads(unit: QuantizedUnit, acc: Accumulator, *, first: bool) -> Iterator[tuple[Register, float]]:
    """The largest magnitude that each register of a layer had to hold.

    Args:
        unit: the layer.
        acc: what its linear part left for a batch, exact.
        first: whether it is the input layer, whose registers are wider on v1.
    """
    bias = acc.bias.to(acc.codes.dtype)
    low, high = acc.codes.amin((0, 2, 3)) + bias, acc.codes.amax((0, 2, 3)) + bias
    largest = float(torch.maximum(low.abs(), high.abs()).max())
    if unit.generation == 1:
        yield (INPUT_SUM_V1 if first else SUM_V1), largest
        if unit.unit.pool == "global_before_relu":
            yield POOLED_V1, float(_summed(acc.codes, bias).abs().max())
    else:
        yield POTENTIAL_V2, largest
        yield from _scaled_v2(unit, acc, bias, high)


def _scaled_v2(
    unit: QuantizedUnit, acc: Accumulator, bias: Tensor, high: Tensor
) -> Iterator[tuple[Register, float]]:
    """Behind the bounded ReLU: an accumulator, or the sum of all that are pooled, times the output scale."""
    if unit.unit.relu is None:
        return
    ceiling = bound_codes(unit.unit.relu.bound, acc.scale, acc.frac_bits).to(bias.dtype)
    if unit.unit.pool == "global_after_relu":
        positions = acc.codes.shape[2] * acc.codes.shape[3]
        clipped = torch.minimum((acc.codes + _column(bias)).clamp_min(0), _column(ceiling))
        sums, scale, register = clipped.sum((2, 3)).amax(0), acc.scale / positions, POOLED_V2
    else:
        sums, scale, register = torch.minimum(high.clamp_min(0), ceiling), acc.scale, SCALED_V2
    mantissa, _ = scale_mantissa(scale)
    yield register, float((sums * mantissa.to(sums.dtype)).max())


def _summed(codes: Tensor, bias: Tensor) -> Tensor:
    return codes.sum((2, 3)) + bias * (codes.shape[2] * codes.shape[3])


def _column(values: Tensor) -> Tensor:
    return values.view(1, -1, 1, 1)
