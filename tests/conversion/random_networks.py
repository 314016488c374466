"""Random networks that a generation runs, by its own capability table."""

import small_networks
import torch
from hypothesis import assume
from hypothesis import strategies as st

from qana.backbone.ghost import GhostModule
from qana.backbone.unit import ConvUnit, HeadUnit, SeparableUnit
from qana.conversion.capabilities import Capabilities
from qana.conversion.capabilities.table import GENERATIONS

WIDTHS = st.sampled_from([2, 3, 4, 6, 8])
FORM = {1: "separable", 2: "concat"}
POOLED = {1: "global_before_relu", 2: "global_after_relu"}


@st.composite
def stems(draw, generation):
    kernel = draw(st.sampled_from([3, 5, 7]))
    return ConvUnit(
        3,
        draw(WIDTHS),
        kernel_size=kernel,
        stride=draw(st.sampled_from([1, 2])),
        bound=4.0,
        pool=draw(st.sampled_from(["none", "none", "max"])) if generation == 1 else "none",
        input_scale=1 / 255,
    )


def _width(block):
    if isinstance(block, GhostModule):
        return block.primary.out_channels + block.cheap.out_channels
    return block.out_channels


@st.composite
def blocks(draw, generation, channels):
    kinds = (
        ["convolution", "separable", "ghost"] if generation == 1 else ["convolution", "depthwise", "ghost"]
    )
    kind = draw(st.sampled_from(kinds))
    width, kernel = draw(WIDTHS), draw(st.sampled_from([1, 3, 3, 5, 7]))
    stride = draw(st.sampled_from([1, 1, 2])) if kernel == 3 else 1
    pool = draw(st.sampled_from(["none", "none", "max"]))
    if kind == "convolution":
        return ConvUnit(channels, width, kernel_size=kernel, stride=stride, bound=4.0, pool=pool)
    if kind == "depthwise":
        kernel = max(kernel, 3)
        return ConvUnit(
            channels, channels, kernel_size=kernel, stride=stride, depthwise=True, bound=4.0, pool=pool
        )
    if generation == 2:
        kernel = 3 if kernel > 1 else 1
        return GhostModule(channels, 2 * width, bound=4.0, cheap_activation=True, kernel_size=kernel)
    ghost = kind == "ghost"
    return SeparableUnit(channels, width, bound=4.0, ghost=ghost, stride=1 if ghost else stride, pool=pool)


@st.composite
def networks(draw, generation):
    """A float network with settled norms, the bit-widths to give it and the size of its images."""
    size = draw(st.tuples(st.integers(9, 26), st.integers(9, 26)))
    torch.manual_seed(draw(st.integers(0, 9999)))
    chain = [draw(stems(generation))]
    for _ in range(draw(st.integers(0, 3))):
        chain.append(draw(blocks(generation, _width(chain[-1]))))
    width = draw(WIDTHS)
    chain.append(ConvUnit(_width(chain[-1]), width, kernel_size=1, bound=4.0, pool=POOLED[generation]))
    chain.append(HeadUnit(width, draw(st.integers(2, 5))))
    network = small_networks.alone(*chain)
    network.form = FORM[generation]
    table = GENERATIONS[generation]
    bits = draw(st.sampled_from(table.bits))
    capabilities = Capabilities(generation, (bits,), table.pooled_positions.value)
    assume(not capabilities.offences(network, (*size, 3)))
    return (
        small_networks.settled(network, draw(st.integers(0, 9999)), small_networks.pixels(8, *size)),
        bits,
        size,
    )


@st.composite
def quantized_networks(draw, generation):
    """A quantized network that is legal, and the size of its images."""
    network, (weight_bits, activation_bits), size = draw(networks(generation))
    ternary = weight_bits == 2 and draw(st.booleans())
    scheme = small_networks.scheme_for(
        generation,
        weight_bits,
        activation_bits,
        weight_rule="ternary" if ternary else "max",
        calibration=draw(st.sampled_from(["max", "percentile", "mse"])),
        percentile=99.0,
        ranges=draw(st.sampled_from(["calibrated", "learned"])),
    )
    quantized = scheme.apply(network, small_networks.pixels(8, *size))
    with torch.no_grad():
        for unit in quantized.units():
            if unit.range is not None:
                unit.range.log2.fill_(draw(st.integers(-20, 20)) / 32)
    return quantized.eval(), size
