"""The arithmetic of a quantized layer, written a second time in whole numbers and fractions.

Follows the published rules (docstrings of `qana.quantization.grid` and `rescale`), shares no code with them:
NumPy float32 where the SDK derives a scale, Python integers and fractions everywhere else.
"""

import math
from fractions import Fraction

import numpy as np

from qana.backbone.unit import HeadUnit, SeparableUnit


def ceil_log2(value):
    """Smallest e with 2**e >= value, for an exact positive value."""
    exponent = math.frexp(float(value))[1]  # value = m * 2**e with 0.5 <= m < 1
    return exponent - 1 if Fraction(float(value)) == Fraction(2) ** (exponent - 1) else exponent


def weight_grid(weight, bits, per_channel):
    """Codes (int64) and scales (float32, one per output channel) of a float32 weight."""
    top = 2 ** (bits - 1) - 1
    largest = np.abs(weight).reshape(len(weight), -1).max(1)
    if not per_channel:
        largest = np.full_like(largest, largest.max())
    scale = np.maximum(largest / np.float32(top), np.float32(1e-6))
    return codes_at(weight, scale, bits), scale


def codes_at(weight, scale, bits):
    """Codes (int64) of a float32 weight at a scale per output channel."""
    top = 2 ** (bits - 1) - 1
    codes = np.rint(weight / scale.reshape(-1, *(1,) * (weight.ndim - 1)))
    return np.clip(codes, -top - 1, top).astype(np.int64)


def aligned(value, scale, frac_bits, value_bits):
    """One value on the accumulator's grid, with `value_bits` of its own."""
    in_codes = np.float32(value) / np.float32(scale)
    own = min(value_bits, frac_bits)
    if in_codes:
        own = min(own, value_bits - ceil_log2(abs(in_codes)))
    code = round(Fraction(float(in_codes)) * Fraction(2) ** own)
    top = 2**value_bits - 1
    return min(max(code, -top - 1), top) * 2 ** (frac_bits - own)


def mantissa_and_exponent(scale):
    exponent = 8 - ceil_log2(scale)
    return min(round(Fraction(float(scale)) * Fraction(2) ** exponent), 255), exponent


def max_pooled(rows):
    """2x2 at stride 2 over one channel; windows over the edge hold what there is."""
    height, width = len(rows), len(rows[0])
    return [
        [
            max(rows[y][x] for y in range(i, min(i + 2, height)) for x in range(j, min(j + 2, width)))
            for j in range(0, width, 2)
        ]
        for i in range(0, height, 2)
    ]


def rescaled_v1(rows, bias, scale, acc_frac_bits, grid, pool):
    """Activation codes of one channel under Akida v1, from accumulator codes."""
    if pool == "max":
        rows = max_pooled(rows)
    if pool == "global_before_relu":
        positions = len(rows) * len(rows[0])
        rows, bias = [[sum(map(sum, rows))]], bias * positions
        scale = np.float32(scale) / np.float32(positions)
    mantissa, exponent = mantissa_and_exponent(scale)
    shift = grid.frac_bits - (acc_frac_bits + exponent)
    step = Fraction(float(np.float32(2.0**-shift) / np.float32(mantissa)))
    threshold = round(step / 2) - bias
    sixteenths = math.floor(16 * step)
    levels = [[math.ceil(Fraction(16 * (code - threshold), sixteenths)) for code in row] for row in rows]
    return [[min(max(level, 0), 2**grid.value_bits - 1) for level in row] for row in levels]


def rescaled_v2(rows, bias, scale, acc_frac_bits, grid, pool, bound):
    """Activation codes of one channel under Akida v2, from accumulator codes."""
    rows = [[code + bias for code in row] for row in rows]
    if pool == "max":
        rows = max_pooled(rows)
    ceiling = aligned(bound, scale, acc_frac_bits, value_bits=8)
    rows = [[min(max(code, 0), ceiling) for code in row] for row in rows]
    if pool == "global_after_relu":
        scale = np.float32(scale) / np.float32(len(rows) * len(rows[0]))
        rows = [[sum(map(sum, rows))]]
    mantissa, exponent = mantissa_and_exponent(scale)
    factor = mantissa * Fraction(2) ** (grid.frac_bits - (acc_frac_bits + exponent))
    levels = [[math.floor(code * factor + Fraction(1, 2)) for code in row] for row in rows]
    return [[min(level, 2**grid.value_bits - 1) for level in row] for row in levels]


def convolved(x, kernels, stride, groups):
    """(C, H, W) by (O, C / groups, k, k), both int64, under TensorFlow's `same`."""
    width = kernels.shape[-1]
    outputs = [-(-size // stride) for size in x.shape[1:]]
    pads = [max((out - 1) * stride + width - size, 0) for out, size in zip(outputs, x.shape[1:], strict=True)]
    x = np.pad(x, ((0, 0), *((pad // 2, pad - pad // 2) for pad in pads)))
    result = np.zeros((len(kernels), *outputs), np.int64)
    inputs, shares = kernels.shape[1], len(kernels) // groups
    for o in range(len(kernels)):
        own = x[(o // shares) * inputs : (o // shares + 1) * inputs]
        for i, j in np.ndindex(width, width):
            window = own[:, i : i + stride * outputs[0] : stride, j : j + stride * outputs[1] : stride]
            result[o] += np.tensordot(kernels[o, :, i, j], window, 1)[: outputs[0], : outputs[1]]
    return result


def _weights(conv):
    return conv.weight.detach().contiguous().numpy()


def accumulated(quantized, x):
    """Accumulator codes (int64), and bias codes and scales per channel, of one image."""
    unit, bits = quantized.unit, quantized.bits.weight
    *first, conv = unit.weighted()
    codes, scale = weight_grid(_weights(conv), bits, per_channel=True)
    if isinstance(unit, SeparableUnit):
        kernels = _weights(first[0])
        largest = max(np.abs(kernels).max(), np.float32(1.0) if unit.ghost else np.float32(0.0))
        shared = largest / np.float32(2 ** (bits - 1) - 1)
        cheap = convolved(
            x, codes_at(kernels, np.full(len(x), shared), bits), first[0].stride[0], groups=len(x)
        )
        if unit.ghost:
            identity = np.clip(np.rint(np.float32(1.0) / shared), None, 2 ** (bits - 1) - 1)
            cheap = np.concatenate((x * int(identity), cheap))
        x, scale = cheap, shared * scale
    sums = convolved(x, codes, conv.stride[0], conv.groups)
    frac_bits = quantized.input_grid.frac_bits
    biases = [
        aligned(bias, one, frac_bits, value_bits=7)
        for bias, one in zip(conv.bias.detach().numpy(), scale, strict=True)
    ]
    return sums, biases, scale


def unit_output(quantized, x):
    """What one quantized unit makes of one image: codes (C, H', W'), or logits in real units."""
    sums, biases, scales = accumulated(quantized, x)
    frac_bits, unit = quantized.input_grid.frac_bits, quantized.unit
    if isinstance(unit, HeadUnit):
        exact = [
            (int(code) + bias) * float(scale) * 2.0**-frac_bits
            for code, bias, scale in zip(sums[:, 0, 0], biases, scales, strict=True)
        ]
        return np.array(exact).reshape(-1, 1, 1)
    grid, channels = quantized.output_grid, []
    for rows, bias, scale in zip(sums.tolist(), biases, scales, strict=True):
        if quantized.generation == 1:
            channels.append(rescaled_v1(rows, bias, scale, frac_bits, grid, unit.pool))
        else:
            channels.append(rescaled_v2(rows, bias, scale, frac_bits, grid, unit.pool, unit.relu.bound))
    return np.array(channels)
