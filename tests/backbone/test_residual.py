"""Residual blocks and sums, against calculation by hand and against the paper's equation."""

import pytest
import torch
from small_networks import alone, pixels, settled, small_network

from qana.backbone.additive_attention import additive_attention
from qana.backbone.bounded_sum import BoundedSum
from qana.backbone.residual import ResidualBlock
from qana.backbone.unit import ConvUnit
from qana.errors import QanaError


def small_resnet(form="concat", **changes):
    return small_network("resnet_small", form, **changes)


def test_a_sum_is_cut_off_at_its_bound():
    a = torch.tensor([0.0, 0.5, 1.5, 2.0])
    b = torch.tensor([0.0, 0.25, 1.5, 0.5])
    assert BoundedSum(2.0)(a, b).tolist() == [0.0, 0.75, 2.0, 2.0]


@pytest.mark.parametrize("bound", [0.0, 3.0, float("inf")])
def test_a_sum_wants_a_power_of_two(bound):
    with pytest.raises(QanaError, match="not a power of two") as refusal:
        BoundedSum(bound)
    assert "activation_bound" in refusal.value.where


def test_a_residual_block_adds_its_branch_to_x():
    block = ResidualBlock([ConvUnit(2, 2, kernel_size=1, bound=1.0)], shortcut=None, bound=2.0).eval()
    with torch.no_grad():
        block.branch[0].conv.weight.copy_(torch.tensor([[0.5, 0.0], [0.0, -1.0]]).view(2, 2, 1, 1))
        block.branch[0].norm = torch.nn.Identity()
    x = torch.tensor([[[[1.0, 4.0]], [[1.0, 0.5]]]])  # (1, 2, 1, 2)
    # channel 0: 1 + 0.5, then 4 + min(2, 1) cut at 2; channel 1: the branch is negative, so its ReLU gives 0
    assert block(x).tolist() == [[[[1.5, 2.0]], [[1.0, 0.5]]]]


def test_a_shortcut_of_its_own_replaces_x():
    branch, shortcut = (ConvUnit(2, 3, kernel_size=k, stride=2, bound=4.0) for k in (3, 1))
    block = ResidualBlock([branch], shortcut=shortcut, bound=4.0).eval()
    x = torch.rand(2, 2, 8, 6, generator=torch.Generator().manual_seed(0))
    expected = (shortcut(x) + branch(x)).clamp(max=4.0)
    torch.testing.assert_close(block(x), expected)
    assert block(x).shape == (2, 3, 4, 3)


def test_additive_attention_adds_what_a_channel_sees_around_a_pixel():
    attention = additive_attention(1, bound=4.0).eval()
    with torch.no_grad():
        attention.branch[0].conv.weight.fill_(0.5)
        attention.branch[0].norm = torch.nn.Identity()
    x = torch.zeros(1, 1, 3, 3)
    x[0, 0, 1, 1] = 2.0
    # every pixel has the bright one in its window: g = 0.5 * 2 = 1
    assert attention(x)[0, 0].tolist() == [[1.0, 1.0, 1.0], [1.0, 3.0, 1.0], [1.0, 1.0, 1.0]]


def test_additive_attention_sees_its_own_channel_alone():
    attention = settled(alone(additive_attention(3, bound=4.0)))
    x = torch.rand(1, 3, 5, 4, generator=torch.Generator().manual_seed(1))
    changed = x.clone()
    changed[:, 1] += 0.5
    block = attention.blocks[0]
    assert torch.equal(block(x)[:, [0, 2]], block(changed)[:, [0, 2]])
    assert not torch.equal(block(x)[:, 1], block(changed)[:, 1])


def test_the_small_resnet_is_made_of_basic_blocks():
    network = small_resnet()
    blocks = [block for block in network.blocks if isinstance(block, ResidualBlock)]
    strides = [[unit.conv.stride[0] for unit in block.branch] for block in blocks]
    assert strides == [[1, 1], [1, 1], [2, 1]]
    assert [isinstance(block.shortcut, ConvUnit) for block in blocks] == [False, False, True]
    assert network(pixels(2)).shape == (2, 3)


def test_the_gradient_reaches_both_ways_of_every_block():
    network = settled(small_resnet(), images=pixels(8)).train()
    torch.nn.functional.cross_entropy(network(pixels(8)), torch.arange(8) % 3).backward()
    without = [key for key, value in network.named_parameters() if value.grad is None or not value.grad.any()]
    assert without == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(widths=[], depths=[]), "0 widths beside 0 depths"),
        (dict(depths=[0, 1]), "depth 0"),
        (dict(stem_channels=0), "width 0"),
        (dict(form="other"), "unknown form 'other'"),
        (dict(activation_bound=3.0), "not a power of two"),
    ],
)
def test_a_resnet_that_cannot_be_built_is_refused(changes, message):
    with pytest.raises(QanaError, match=message):
        small_resnet(**changes)
