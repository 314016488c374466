"""What each generation says about sums, and about gates that multiply."""

import pytest
from planted_networks import BOUND, WIDTH, convolution, pooled, stem
from small_networks import small_network
from torch import nn

from qana.backbone.ghost import GhostModule
from qana.backbone.network import Network
from qana.backbone.residual import ResidualBlock
from qana.backbone.resnet_small import basic_block
from qana.backbone.unit import ConvUnit, HeadUnit
from qana.conversion.capabilities import Capabilities

IMAGE = (20, 24, 3)
FIRST, SECOND = Capabilities(1, ((4, 4),), 255), Capabilities(2, ((4, 4), (8, 8)), 144)


def chain(*middle, last=True):
    end = [pooled("concat"), HeadUnit(12, 3)] if last else [HeadUnit(WIDTH, 3)]
    return Network(name="planted", form="concat", blocks=[stem(), *middle, *end])


def block(*branch, shortcut=None):
    return ResidualBlock(branch or [convolution()], shortcut=shortcut, bound=BOUND)


def found(network, capabilities=SECOND):
    return [(each.module, each.found) for each in capabilities.offences(network, IMAGE)]


@pytest.mark.parametrize(
    "network",
    [
        small_network("resnet_small", "concat"),
        small_network("qana", "concat", attention_form="additive"),
        chain(convolution(), block(), block(), GhostModule(WIDTH, WIDTH, bound=BOUND, cheap_activation=True)),
    ],
    ids=["resnet_small", "additive", "ghost behind a sum"],
)
def test_the_second_generation_runs_sums(network):
    assert found(network) == []


@pytest.mark.parametrize(
    ("network", "paths"),
    [
        (small_network("resnet_small", "separable"), ["blocks.2", "blocks.3", "blocks.4"]),
        (small_network("qana", "separable", attention_form="additive"), ["blocks.4", "blocks.8"]),
    ],
    ids=["resnet_small", "additive"],
)
def test_the_first_generation_refuses_every_sum_by_its_path(network, paths):
    offences = [each for each in FIRST.offences(network, IMAGE) if each.found == "a sum of two branches"]
    assert [each.module for each in offences] == paths
    assert {each.allowed for each in offences} == {"a strictly sequential network"}
    assert all(
        "conversion=akida2" in each.rewrite and "attention_form=folded" in each.rewrite for each in offences
    )


@pytest.mark.parametrize("capabilities", [FIRST, SECOND], ids=["v1", "v2"])
def test_every_generation_refuses_a_live_gate_and_names_the_rewrite(capabilities):
    form = "separable" if capabilities is FIRST else "concat"
    network = small_network("qana", form, attention_form="gated")
    offences = capabilities.offences(network, IMAGE)
    gated = [each for each in offences if "multiplies two tensors" in each.found]
    assert len(gated) == 5
    assert all("backbone.attention_form=folded" in each.rewrite for each in gated)


def wide(channels=WIDTH, **arguments):
    return ConvUnit(WIDTH, channels, kernel_size=3, bound=BOUND, **arguments)


@pytest.mark.parametrize(
    ("network", "offence"),
    [
        (chain(block()), ("blocks.1", "a residual block behind the first layer")),
        (
            chain(GhostModule(WIDTH, WIDTH, bound=BOUND, cheap_activation=True), block()),
            ("blocks.2", "a residual block directly behind a concatenation"),
        ),
        (chain(convolution("max"), block()), ("blocks.2", "a residual block directly behind a pooled layer")),
        (chain(convolution(), block(), last=False), ("blocks.2", "a sum without a convolution behind it")),
        (
            chain(convolution(), block(wide(), wide(pool="max"))),
            ("blocks.2.branch.1", "a max pool in front of a concatenation or a sum"),
        ),
        (
            chain(convolution(), block(nn.ReLU())),
            ("blocks.2", "a branch of ReLU"),
        ),
        (
            chain(convolution(), block(shortcut=basic_block(WIDTH, WIDTH, stride=1, bound=BOUND))),
            ("blocks.2.shortcut", "a skip nested in a skip"),
        ),
        (
            chain(convolution(), block(wide(1))),
            ("blocks.2", "a sum of (8, 10, 12) and (1, 10, 12)"),
        ),
    ],
    ids=["stem", "ghost", "pooled", "head", "pool", "foreign", "nested", "broadcast"],
)
def test_what_the_mapper_refuses_around_a_sum_is_refused_by_name(network, offence):
    assert offence in found(network)


def test_a_branch_without_activation_is_refused():
    linear = ConvUnit(WIDTH, WIDTH, kernel_size=3, bound=None)
    assert ("blocks.2.branch.0", "no activation") in found(chain(convolution(), block(linear)))
