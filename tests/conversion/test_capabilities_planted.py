"""Planted faults, each found by the tables alone: by its module path, in its own words, with a way out."""

import pytest
import small_networks
import torch
from torch import nn

from qana.backbone.ghost import GhostModule
from qana.backbone.network import Network
from qana.backbone.unit import ConvUnit, HeadUnit, SeparableUnit
from qana.conversion.capabilities import Capabilities

IMAGE = (24, 24, 3)
V1 = Capabilities(1, ((4, 4),), 255, "AKD1000", None)
V2 = Capabilities(2, ((4, 4), (8, 8)), 144, "SixNodesIPv2", None)
TARGETS = {1: V1, 2: V2}


def network(generation, *middle, stem=None, channels=8):
    """Blocks between a stem and a pooled unit that the generation runs as they are."""
    first = stem or ConvUnit(3, 8, kernel_size=3, stride=2, bound=4.0)
    if generation == 1:
        last = SeparableUnit(channels, 8, bound=4.0, pool="global_before_relu")
    else:
        last = ConvUnit(channels, 8, kernel_size=1, bound=4.0, pool="global_after_relu")
    return small_networks.alone(first, *middle, last, HeadUnit(8, 3))


def conv_unit(**changes):
    return ConvUnit(8, 8, **{"kernel_size": 3, "bound": 4.0, **changes})


def with_part(unit, **parts):
    for name, part in parts.items():
        setattr(unit, name, part)
    return unit


class SigmoidGate(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.conv(x))


class PaddedUnit(ConvUnit):
    def linear(self, x):
        return self.conv(nn.functional.pad(x, (2, 0, 2, 0))[:, :, 1:-1, 1:-1])


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(8, 3), nn.Linear(8, 2)

    def forward(self, x):
        x = x.mean((2, 3))
        return self.first(x), self.second(x)


class TwoOutputs(Network):
    def forward(self, x):
        logits = super().forward(x)
        return logits, logits


class Skip(nn.Module):
    def __init__(self):
        super().__init__()
        self.branch = conv_unit()

    def forward(self, x):
        return x + self.branch(x)


def spoilt(generation, value, where=...):
    built = network(generation, conv_unit())
    with torch.no_grad():
        built.blocks[1].conv.weight[where] = value
    return built


def repeated():
    unit = conv_unit()
    return network(2, unit, unit)


def unreached():
    built = network(2, conv_unit())
    built.spare = conv_unit()
    return built


def two_outputs():
    return TwoOutputs(name="two", form="concat", blocks=list(network(2).blocks))


ASYMMETRIC = nn.Sequential(nn.ZeroPad2d((2, 0, 2, 0)), nn.Conv2d(8, 8, 3, bias=False))
DILATED = nn.Conv2d(8, 8, 3, padding=2, dilation=2, bias=False)
SYMMETRIC = nn.Conv2d(8, 8, 3, stride=2, padding=1, bias=False)
# name: generation, network, module path, what is found
PLANTED = {
    "sigmoid gate": (2, lambda: network(2, SigmoidGate()), "blocks.1", "a sigmoid gate"),
    "sigmoid gate in a unit": (
        1,
        lambda: network(1, with_part(SeparableUnit(8, 8, bound=4.0), gate=nn.Sigmoid())),
        "blocks.1",
        "a sigmoid gate that multiplies two tensors",
    ),
    "unbounded ReLU on v1": (
        1,
        lambda: network(1, with_part(SeparableUnit(8, 8, bound=4.0), relu=nn.ReLU())),
        "blocks.1",
        "an unbounded ReLU",
    ),
    "ReLU6": (
        2,
        lambda: network(2, with_part(conv_unit(), relu=nn.ReLU6())),
        "blocks.1",
        "a ReLU6 from 0 to 6",
    ),
    "symmetric padding at stride 2": (
        2,
        lambda: network(2, with_part(conv_unit(stride=2), conv=SYMMETRIC)),
        "blocks.1",
        "a padding of 1 before and 1 after at stride 2 on 12x12",
    ),
    "stride 3": (2, lambda: network(2, conv_unit(stride=3)), "blocks.1", "a 3x3 kernel at stride 3"),
    "stride 3 in the first layer": (
        1,
        lambda: network(1, stem=ConvUnit(3, 8, kernel_size=3, stride=3, bound=4.0)),
        "blocks.0",
        "a 3x3 kernel at stride 3",
    ),
    "1x1 in the first layer": (
        1,
        lambda: network(1, stem=ConvUnit(3, 8, kernel_size=1, bound=4.0)),
        "blocks.0",
        "a 1x1 kernel at stride 1",
    ),
    "dilation": (
        2,
        lambda: network(2, with_part(conv_unit(), conv=DILATED)),
        "blocks.1",
        "a dilated convolution (dilation 2)",
    ),
    "dilation outside a unit": (
        2,
        lambda: network(2, DILATED),
        "blocks.1",
        "a dilated convolution (dilation 2)",
    ),
    "pad of 2 and 0": (
        2,
        lambda: network(2, *ASYMMETRIC),
        "blocks.1",
        "a pad of 2 before and 0 after",
    ),
    "pad of 2 and 0 in a unit": (
        2,
        lambda: network(2, PaddedUnit(8, 8, kernel_size=3, bound=4.0)),
        "blocks.1",
        "a pad of 2 before and 0 after",
    ),
    "ReLU before the global pool on v1": (
        1,
        lambda: network(1, SeparableUnit(8, 8, bound=4.0, pool="global_after_relu")),
        "blocks.1",
        "a global pool after relu",
    ),
    "global pool before the ReLU on v2": (
        2,
        lambda: network(2, conv_unit(pool="global_before_relu")),
        "blocks.1",
        "a global pool before relu",
    ),
    "pool on its own": (1, lambda: network(1, nn.MaxPool2d(2)), "blocks.1", "a MaxPool2d on its own"),
    "pool in front of the head": (
        1,
        lambda: small_networks.alone(
            ConvUnit(3, 8, kernel_size=3, stride=2, bound=4.0), conv_unit(pool="max"), HeadUnit(8, 3)
        ),
        "blocks.1",
        "a max pool without a convolution behind it",
    ),
    "dense layer over a map": (
        2,
        lambda: small_networks.alone(ConvUnit(3, 8, kernel_size=3, bound=4.0), HeadUnit(8, 3)),
        "blocks.1",
        "a dense layer over 24x24 positions",
    ),
    "stride and pool on v2": (
        2,
        lambda: network(2, conv_unit(stride=2, pool="max")),
        "blocks.1",
        "a pool behind a strided convolution",
    ),
    "global pool behind a depthwise layer": (
        2,
        lambda: network(2, conv_unit(depthwise=True, pool="global_after_relu")),
        "blocks.1",
        "a global pool behind a depthwise layer",
    ),
    "skip": (2, lambda: network(2, Skip()), "blocks.1", "a Skip of its own"),
    "two heads": (2, lambda: network(2, TwoHeads()), "blocks.1", "2 outputs"),
    "two outputs": (2, two_outputs, "(network)", "2 outputs"),
    "NaN weight": (
        2,
        lambda: spoilt(2, float("nan"), (0, 0, 0, 0)),
        "blocks.1.conv",
        "NaN in 1 of 576 values of weight",
    ),
    "all-zero layer": (1, lambda: spoilt(1, 0.0), "blocks.1", "a layer whose weights are all zero"),
    "unit that runs twice": (2, repeated, "blocks.1", "a unit that runs 2 times for one image"),
    "unit that is never reached": (2, unreached, "spare", "a unit that is never reached"),
    "nested container": (
        2,
        lambda: network(2, nn.Sequential(conv_unit())),
        "blocks.1",
        "a Sequential outside a unit",
    ),
    "grouped convolution": (
        2,
        lambda: network(2, with_part(conv_unit(), conv=nn.Conv2d(8, 8, 3, padding=1, groups=2, bias=False))),
        "blocks.1",
        "a grouped convolution (2 groups)",
    ),
    "rectangular kernel": (
        2,
        lambda: network(2, with_part(conv_unit(), conv=nn.Conv2d(8, 8, (3, 1), padding=(1, 0), bias=False))),
        "blocks.1",
        "a 3x1 kernel at stride 1",
    ),
    "too many filters in the first layer": (
        1,
        lambda: network(1, stem=ConvUnit(3, 193, kernel_size=3, stride=2, bound=4.0), channels=193),
        "blocks.0",
        "193 filters",
    ),
    "filters doubled for a ghost unit": (
        1,
        lambda: small_networks.alone(
            ConvUnit(3, 100, kernel_size=3, stride=2, bound=4.0),
            SeparableUnit(100, 8, ghost=True, bound=4.0, pool="global_before_relu"),
            HeadUnit(8, 3),
        ),
        "blocks.0",
        "200 filters (each twice, for the ghost unit behind it)",
    ),
    "too many input channels": (
        1,
        lambda: network(
            1, ConvUnit(8, 449, kernel_size=1, bound=4.0), ConvUnit(449, 8, kernel_size=3, bound=4.0)
        ),
        "blocks.2",
        "449 input channels under a 3x3 kernel",
    ),
    "96 processors on 78": (
        1,
        lambda: network(1, *(SeparableUnit(8, 8, bound=4.0) for _ in range(94))),
        "(network)",
        "at least 96 neural processors",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", PLANTED)
def test_planted_fault_is_named_with_its_place_and_a_way_out(fault):
    generation, build, path, words = PLANTED[fault]
    found = TARGETS[generation].offences(build(), IMAGE)
    named = {(offence.module, offence.found): offence for offence in found}
    assert (path, words) in named, named.keys()
    assert named[path, words].rewrite
    assert named[path, words].allowed


@pytest.mark.parametrize("generation", [1, 2])
def test_network_without_a_fault_has_no_offence(generation):
    assert TARGETS[generation].offences(network(generation, conv_unit()), IMAGE) == []


@pytest.mark.parametrize("generation", [1, 2])
@pytest.mark.parametrize("family", ["qana", "akidanet"])
def test_networks_of_this_project_have_no_offence(family, generation):
    form = {1: "separable", 2: "concat"}[generation]
    assert TARGETS[generation].offences(small_networks.small_network(family, form), (32, 40, 3)) == []


def test_all_faults_of_a_network_come_at_once_in_order():
    built = network(
        2,
        conv_unit(stride=3),
        SigmoidGate(),
        with_part(conv_unit(), conv=DILATED),
        nn.Dropout(),
        conv_unit(bound=None),
    )
    found = [(offence.module, offence.found) for offence in V2.offences(built, (72, 72, 3))]
    wanted = [
        ("blocks.1", "a 3x3 kernel at stride 3"),
        ("blocks.2", "a sigmoid gate"),
        ("blocks.3", "a dilated convolution (dilation 2)"),
        ("blocks.4", "a Dropout outside a unit"),
        ("blocks.5", "no activation"),
    ]
    assert [each for each in found if each in wanted] == wanted
    assert ("blocks.6", "a global pool over 12x12 = 144 positions") not in found


def test_padding_that_equals_the_chips_is_no_fault():
    odd = network(2, with_part(conv_unit(stride=2), conv=nn.Conv2d(8, 8, 3, stride=2, padding=1, bias=False)))
    assert V2.offences(odd, (17, 21, 3)) == []  # 9x11 behind the stem
    found = V2.offences(odd, (17, 23, 3))  # 9x12
    assert [offence.found for offence in found] == ["a padding of 1 before and 1 after at stride 2 on 9x12"]
    assert "here 0 before and 1 after" in found[0].allowed


def test_max_pool_in_a_branch_of_a_concatenation_is_a_fault():
    ghost = GhostModule(8, 8, bound=4.0, cheap_activation=True)
    ghost.cheap.pool = "max"
    found = V2.offences(network(2, ghost), IMAGE)
    assert ("blocks.1.cheap", "a max pool in front of a concatenation or a sum") in [
        (o.module, o.found) for o in found
    ]


@pytest.mark.parametrize(("size", "fault"), [((4, 24, 3), 1), ((24, 257, 3), 1), ((24, 256, 3), 0)])
def test_size_of_the_images(size, fault):
    deep = network(1, *(SeparableUnit(8, 8, stride=2, bound=4.0) for _ in range(2)))
    found = [offence.found for offence in V1.offences(deep, size) if "images of" in offence.found]
    assert len(found) == fault


def test_network_that_does_not_run_is_named_with_torchs_words():
    broken = small_networks.alone(
        ConvUnit(3, 8, kernel_size=3, bound=4.0), ConvUnit(7, 8, kernel_size=1, bound=4.0)
    )
    found = [offence.found for offence in V2.offences(broken, IMAGE)]
    assert any("no answer to an image: RuntimeError" in each for each in found)
    assert "an end in ConvUnit" in found


def test_asking_changes_neither_weights_nor_modes():
    built = small_networks.small_network("qana", "separable").train()
    built.blocks[1].norm.eval()
    before = {name: value.clone() for name, value in built.state_dict().items()}
    V1.offences(built, IMAGE)
    V1.risks(built, (64, 64, 3))
    assert built.training
    assert not built.blocks[1].norm.training
    assert all(torch.equal(value, before[name]) for name, value in built.state_dict().items())
    assert not any(module._forward_hooks for module in built.modules())
