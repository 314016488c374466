"""Sums are weighed against the register that holds them; the limits are those of the SDK."""

import akida
import numpy as np
import pytest
import small_networks
import torch

from qana.backbone.unit import ConvUnit, HeadUnit
from qana.conversion.acceptance.headroom import (
    INPUT_SUM_V1,
    POOLED_V1,
    POOLED_V2,
    POTENTIAL_V2,
    SCALED_V2,
    SUM_V1,
)
from qana.conversion.acceptance.trained_answers import trained_answers
from qana.conversion.deploy import deploy
from qana.quantization.fold import fold
from qana.quantization.network import QuantizedNetwork
from qana.quantization.unit import Bits

POSITIONS = 8 * 8  # of the pooled map


def pooling_network(generation, pool):
    """Weights of 1 throughout: a pixel, times three channels, pooled."""
    network = small_networks.alone(
        ConvUnit(3, 4, kernel_size=1, bound=256.0),
        ConvUnit(4, 5, kernel_size=1, bound=1024.0, pool=pool),
        HeadUnit(5, 2),
    )
    with torch.no_grad():
        for unit in network.blocks:
            unit.conv.weight.fill_(1.0)
    folded = fold(network.eval())
    with torch.no_grad():
        for unit in folded.blocks:
            unit.conv.weight.fill_(1.0)
            unit.conv.bias.zero_()
    bits = Bits(8, 7, 7) if generation == 2 else Bits(4, 4, 4)
    return QuantizedNetwork(folded, bits=bits, input_weight_bits=8, generation=generation).eval()


def loads(network, value):
    plan = deploy(network)[1]
    images = np.full((2, 8, 8, 3), value, np.uint8)
    found = trained_answers(network, plan, images, compared=1, batch_size=2).loads
    return [found[entry.name] for entry in plan]


def test_sums_of_generation_2_are_those_counted_by_hand():
    stem, pooled, head = loads(pooling_network(2, "global_after_relu"), 80)
    # Weights of 1 are 127 codes of 1/127. Pixels are codes of 1; the stem's steps are 2 (7 bits for 256).
    assert stem[POTENTIAL_V2] == 3 * 80 * 127
    code = round(3 * 80 / 2)
    accumulator = 4 * code * 127
    assert pooled[POTENTIAL_V2] == accumulator
    # 1 / 127 / 64 positions as 8-bit mantissa and exponent: 258 * 2**-21 is too wide, 129 * 2**-20.
    mantissa = round(2**20 / 127 / POSITIONS)
    assert mantissa == 129
    assert pooled[POOLED_V2] == POSITIONS * accumulator * mantissa
    assert set(head) == {POTENTIAL_V2}
    assert set(stem) == {POTENTIAL_V2, SCALED_V2}


def test_sums_of_generation_1_are_those_counted_by_hand():
    stem, pooled, head = loads(pooling_network(1, "global_before_relu"), 80)
    assert stem == {INPUT_SUM_V1: 3 * 80 * 127}
    accumulator = 4 * round(3 * 80 / 16) * 7  # weights of 1 are 7 codes of 1/7, steps of the stem are 16
    assert pooled == {SUM_V1: accumulator, POOLED_V1: POSITIONS * accumulator}
    assert set(head) == {SUM_V1}


def test_headroom_is_in_bits_below_the_limit():
    assert POOLED_V2.headroom_bits(2.0**31) == 0
    assert POOLED_V2.headroom_bits(2.0**28) == 3
    assert SUM_V1.headroom_bits(0.0) == 19  # nothing is no infinity
    assert POTENTIAL_V2.headroom_bits(2.0**28) == -1


def pooled_program(positions, inputs, scale):
    """A channel that adds up `inputs` features 127 times and is pooled, as the SDK runs it."""
    program = akida.Model()
    program.add(akida.InputData(input_shape=(positions, 1, inputs), input_bits=8))
    program.add(
        akida.Conv2D(
            filters=1,
            kernel_size=1,
            pool_type=akida.PoolType.Average,
            output_bits=8,
            activation=akida.ActivationType.ReLU,
            name="pooled",
        )
    )
    variables = program.get_layer("pooled").variables
    variables["weights"] = np.full((1, 1, inputs, 1), 127, np.int8)
    variables["output_scales"] = np.array([scale], np.uint8)
    variables["output_shift"] = np.array([-SHIFT], np.int8)
    variables["max_value"], variables["max_value_shift"] = np.array([255], np.uint8), np.array([15], np.uint8)
    return program


SHIFT = 25  # 2**31 becomes 64, in the middle of the codes


@pytest.mark.parametrize("positions", [100, 144])
def test_sdk_pools_rightly_below_2_to_the_31_and_wrongly_from_there_on(positions):
    """The limit is the SDK's own: a newer SDK that behaves otherwise is noticed here."""
    inputs, scale = 12, 200
    program = pooled_program(positions, inputs, scale)
    assert program.layers[-1].parameters.post_op_buffer_bits == POOLED_V2.bits
    assert program.layers[-1].parameters.buffer_bits == POTENTIAL_V2.bits
    values = np.arange(1, 128)
    shape = (len(values), positions, 1, inputs)
    features = np.ascontiguousarray(np.broadcast_to(values[:, None, None, None], shape).astype(np.int8))
    sums = values.astype(np.int64) * inputs * 127 * positions * scale
    expected = np.minimum((sums + 2 ** (SHIFT - 1)) >> SHIFT, 127)
    found = program.forward(features)[:, 0, 0, 0]

    fits = sums < POOLED_V2.limit
    assert 0 < fits.sum() < len(values)
    np.testing.assert_array_equal(found[fits], expected[fits])
    wrong = ~fits & (expected > 64)  # 2**31 itself rounds to the code at which the register stands
    assert (found[wrong] != expected[wrong]).all()
