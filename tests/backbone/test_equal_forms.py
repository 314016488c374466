"""Forms that are said to be equal are: for any weights, images and sizes, in float."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import alone, pixels, scheme_for, settled, small_network
from torch import nn

from qana.backbone import Network
from qana.backbone.additive_attention import additive_attention
from qana.backbone.attention import AnnealedGate, LiveGate, make_gate
from qana.backbone.ghost import GhostModule
from qana.backbone.resnet_small import basic_block
from qana.backbone.unit import ConvUnit, SeparableUnit
from qana.conversion.other_form import in_form
from qana.errors import QanaError
from qana.quantization import fold

LARGEST_DIFFERENCE = 1e-5
BOUND = 1.0  # so that float32 rounds far below the largest difference
SEEDS = st.integers(0, 10_000)
CHANNELS = st.integers(1, 4)
SIDES = st.integers(3, 9)


def image(seed, channels, height, width):
    generator = torch.Generator().manual_seed(seed)
    return BOUND * torch.rand(2, channels, height, width, generator=generator)


def refilled(module, seed):
    """Weights that are not symmetric around zero, so that some values are clipped and some are cut off."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.7 * torch.randn(parameter.shape, generator=generator) + 0.05)
    return settled(module, seed)


def assert_equal_forms(first, second, x):
    with torch.no_grad():
        a, b = first(x), second(x)
    assert a.shape == b.shape
    assert float((a - b).abs().max()) <= LARGEST_DIFFERENCE


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, channels=CHANNELS, height=SIDES, width=SIDES)
def test_a_linear_ghost_and_its_reader_are_one_separable_unit_on_shared_weights(
    seed, channels, height, width
):
    ghost = GhostModule(channels, 2 * channels, bound=BOUND, cheap_activation=False)
    ghost.cheap.norm = nn.Identity()
    reader = ConvUnit(2 * channels, 3, kernel_size=1, bound=BOUND)
    refilled(nn.ModuleList([ghost, reader]), seed)
    separable = SeparableUnit(channels, 3, ghost=True, bound=BOUND).eval()
    separable.depthwise.weight, separable.conv.weight = ghost.cheap.conv.weight, reader.conv.weight
    separable.norm = reader.norm
    assert_equal_forms(
        nn.Sequential(ghost, reader),
        nn.Sequential(ghost.primary, separable),
        image(seed, channels, height, width),
    )


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, channels=CHANNELS, height=SIDES, width=SIDES, activation=st.booleans())
def test_a_ghost_of_the_second_generation_has_an_equal_form_of_the_first(
    seed, channels, height, width, activation
):
    blocks = [
        GhostModule(channels, 2 * channels, bound=BOUND, cheap_activation=activation),
        ConvUnit(2 * channels, 3, kernel_size=1, pool="global_after_relu", bound=BOUND),
    ]
    network = fold(refilled(Network(name="pair", form="concat", blocks=blocks), seed))
    rewritten = in_form(network, "separable", {})
    assert not any(isinstance(block, GhostModule) for block in rewritten.modules())
    assert_equal_forms(network, rewritten, image(seed, channels, height, width))


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, channels=CHANNELS, height=SIDES, width=SIDES, basic=st.booleans())
def test_a_sum_has_an_equal_form_without_one(seed, channels, height, width, basic):
    first = ConvUnit(channels, channels, kernel_size=1, bound=BOUND)
    if basic:
        block = basic_block(channels, channels, stride=1, bound=BOUND)
    else:
        block = additive_attention(channels, bound=BOUND)
    network = Network(name="sum", form="concat", blocks=[first, block, copy.deepcopy(first)])
    network = fold(refilled(network, seed))
    rewritten = in_form(network, "separable", {})
    assert {type(block) for block in rewritten.blocks} == {ConvUnit}
    assert_equal_forms(network, rewritten, image(seed, channels, height, width))


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, channels=st.integers(2, 5), side=SIDES, name=st.sampled_from(["se", "sa_eca"]))
def test_folding_equals_the_gate_held_at_its_mean(seed, channels, side, name):
    unit = ConvUnit(
        3, channels, kernel_size=3, bound=BOUND, gate=make_gate(name, channels, ending="annealed")
    )
    network = refilled(alone(unit), seed)
    held = copy.deepcopy(network)
    held.blocks[0].gate = LiveGate(AtItsMean(unit.gate))
    assert_equal_forms(held, fold(network), image(seed, 3, side, side + 1))


class AtItsMean(nn.Module):
    """A gate that says its mean, whatever it sees."""

    def __init__(self, gate: AnnealedGate) -> None:
        super().__init__()
        self.mean = gate.mean.clone()

    def forward(self, x):
        return self.mean.expand(len(x), -1, 1, 1)


def test_a_live_gate_follows_the_image_and_survives_folding():
    network = settled(small_network("qana", "concat", attention_form="gated"), images=pixels(8))
    gates = [module for module in network.modules() if isinstance(module, LiveGate)]
    assert len(gates) == 5
    said = []
    gates[0].gate.register_forward_hook(lambda module, x, gate: said.append(gate))
    network(pixels(4))
    assert float(said[0].std(0).max()) > 0
    torch.testing.assert_close(fold(network)(pixels(4)), network(pixels(4)), atol=1e-4, rtol=1e-4)


def test_a_live_gate_is_refused_by_quantization_with_its_path():

    scheme = scheme_for(2, calibration_images=4)
    with pytest.raises(QanaError, match=r"blocks\.1\.primary\.gate") as refusal:
        scheme.apply(small_network("qana", "concat", attention_form="gated"), pixels(4))
    assert "attention_form=folded" in refusal.value.fix


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(attention_form="added"), "unknown attention_form 'added'"),
        (dict(attention_form="additive", ghost_attention="se"), "additive attention in place of se"),
    ],
)
def test_an_unknown_form_of_attention_is_refused(changes, message):
    with pytest.raises(QanaError, match=message) as refusal:
        small_network("qana", "concat", **changes)
    assert "backbone.attention_form" in refusal.value.where
