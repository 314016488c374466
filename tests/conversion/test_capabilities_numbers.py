"""Numbers that the tables predict before training, against what the SDK makes of the same layers."""

import math

import akida
import conversions
import pytest
import small_networks
import torch
from akida_programs import chain, layer, stem
from torch import nn

from qana.backbone.unit import ConvUnit, HeadUnit, SeparableUnit
from qana.conversion.capabilities import DEVICES, Capabilities
from qana.conversion.capabilities.processors import fewest_nps
from qana.conversion.capabilities.registers import INPUT_STEP_REGISTER, STEP_REGISTER, predicted_steps
from qana.conversion.device import mapped_amply
from qana.conversion.mapping_facts import processors
from qana.conversion.v1_limits import INPUT_REGISTERS, REGISTERS

V1 = Capabilities(1, ((4, 4),), 255, "AKD1000", None)
# kind, generation, image side, channels in, filters, kernel, stride
LAYERS = [
    ("separable", 1, 32, 16, 32, 3, 1),
    ("separable", 1, 64, 64, 48, 3, 1),
    ("separable", 1, 128, 32, 16, 3, 2),
    ("separable", 1, 96, 100, 600, 5, 1),
    ("convolution", 1, 32, 64, 64, 3, 1),
    ("convolution", 1, 48, 128, 128, 3, 2),
    ("convolution", 1, 32, 200, 96, 1, 1),
    ("convolution", 2, 32, 64, 64, 3, 1),
    ("convolution", 2, 96, 128, 128, 3, 1),
    ("convolution", 2, 160, 32, 700, 1, 1),
    ("convolution", 2, 64, 300, 40, 5, 1),
    ("depthwise", 2, 160, 64, 64, 3, 1),
    ("depthwise", 2, 128, 512, 512, 3, 2),
]


def predicted(kind, generation, side, channels, filters, kernel, stride):
    depthwise = nn.Conv2d(channels, channels, kernel, stride=stride, groups=channels)
    pointwise = nn.Conv2d(channels, filters, 1)
    convolutions = {
        "separable": [depthwise, pointwise],
        "depthwise": [depthwise],
        "convolution": [nn.Conv2d(channels, filters, kernel, stride=stride)],
    }[kind]
    row = DEVICES["AKD1000" if generation == 1 else "SixNodesIPv2"]
    shape = torch.Size((1, channels, side // 2, side // 2))
    return fewest_nps(kind, convolutions, shape, processor=row.processor, weight_bits=4, activation_bits=4)


@pytest.mark.parametrize("case", LAYERS)
def test_no_layer_maps_with_fewer_processors_than_predicted(case):
    kind, generation, side, channels, filters, kernel, stride = case
    follower = "separable" if generation == 1 else "convolution"
    program = chain(
        stem(generation, side),
        layer(generation, follower, "before", filters=channels),
        layer(generation, kind, "tried", filters=filters, kernel=kernel, stride=stride),
        layer(generation, follower, "behind"),
    )
    amply = mapped_amply(program)
    taken = len(processors(amply.get_layer("tried")))
    bound = predicted(*case)
    assert bound <= taken
    assert taken <= 4 * bound  # else the bound says nothing


def test_layer_that_fits_one_processor_is_predicted_one():
    assert predicted(*LAYERS[0]) == 1


def test_registers_are_those_that_the_trained_program_is_held_to():
    assert REGISTERS.act_step == STEP_REGISTER
    assert INPUT_REGISTERS.act_step == INPUT_STEP_REGISTER


def test_predicted_steps_are_those_of_the_program(converted):
    """The reference is what cnn2snn puts into the program; the units are those behind calibration."""
    result = converted("akidanet", 1, 4)
    network = small_networks.alone(*(block.unit for block in result.network.blocks))
    shape = (conversions.HEIGHT, conversions.WIDTH, 3)
    steps = predicted_steps(network, shape, weight_bits=4, input_bits=8, act_bits=4)
    program = akida.Model(str(result.program_path))
    layers = {entry.module: program.get_layer(entry.name) for entry in result.plan}
    assert len(steps) == len(layers) - 1  # all but the logits
    for path, _, values in steps:
        told = torch.from_numpy(layers[path].variables["act_step"])[: len(values)]
        # The program keeps a scale in 8 bits and a step in sixteenths.
        torch.testing.assert_close(told.float(), values.float(), rtol=2**-8, atol=1 / 16)


def pooled_network(scale, stages=0):
    network = small_networks.alone(
        ConvUnit(3, 8, kernel_size=3, stride=2, bound=4.0, input_scale=1 / 255),
        *(SeparableUnit(8, 8, stride=2, bound=4.0) for _ in range(stages)),
        SeparableUnit(8, 8, bound=4.0, pool="global_before_relu"),
        HeadUnit(8, 3),
    )
    with torch.no_grad():
        pooled = network.blocks[-2]
        pooled.conv.weight.fill_(scale)
        pooled.depthwise.weight.fill_(scale)
    return network.eval()


def test_step_close_to_its_register_is_a_risk_and_no_offence():
    """7 x 7 / 65535 codes, 144 positions: weights below sqrt(49 x 144 / 65535) = 0.33 pass the register."""
    small, large = pooled_network(0.3), pooled_network(0.6)
    assert math.isclose(math.sqrt(49 * 144 / 65535), 0.33, abs_tol=0.01)
    assert V1.offences(small, (24, 24, 3)) == []
    (risk,) = V1.risks(small, (24, 24, 3))
    assert risk.module == "blocks.1"
    assert "an activation step of 78,400 summed over 144 positions, in 8 of 8 channels" in risk.found
    assert "one more stage before the global pool" in risk.rewrite
    assert risk.allowed == "activation steps below 65535"
    assert V1.risks(large, (24, 24, 3)) == []


def test_smaller_map_takes_the_risk_away():
    assert V1.risks(pooled_network(0.3, stages=1), (24, 24, 3)) == []


def test_generation_2_has_no_such_register():
    table = Capabilities(2, ((4, 4), (8, 8)), 144, "SixNodesIPv2", None)
    assert table.risks(small_networks.small_network("qana", "concat"), (32, 32, 3)) == []
