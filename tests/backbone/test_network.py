import pytest
import torch
from small_networks import KINDS, alone, pixels, settled_network, small_network

from qana.backbone import Complexity, complexity
from qana.backbone.unit import ConvUnit, HeadUnit, SeparableUnit


def test_complexity_equals_a_hand_count():
    network = alone(
        ConvUnit(3, 4, kernel_size=3, stride=2, bound=4.0),
        SeparableUnit(4, 6, ghost=True, pool="max", bound=4.0),
        ConvUnit(6, 5, kernel_size=1, pool="global_after_relu", bound=4.0),
        HeadUnit(5, 3),
    )
    # On 10 x 7 pixels: 5 x 4 positions behind the stem, 3 x 2 behind the pool.
    macs = 20 * 4 * 27 + 20 * (4 * 9 + 8 * 6) + 6 * 6 * 5 + 5 * 3
    parameters = (4 * 27 + 8) + (4 * 9 + 8 * 6 + 12) + (6 * 5 + 10) + (5 * 3 + 3)
    assert complexity(network, (10, 7, 3)) == Complexity(parameters=parameters, macs=macs)


def test_attention_counts_as_parameters_but_not_as_macs():
    plain = small_network("qana", "separable", ghost_attention="none", transition_attention="none")
    gated = small_network("qana", "separable", ghost_attention="none", transition_attention="se")
    costs = [complexity(network, (16, 16, 3)) for network in (plain, gated)]
    # Squeeze-and-excitation with 4 hidden units on 12 and on 16 channels.
    assert costs[1].parameters - costs[0].parameters == (12 * 4 + 4 + 4 * 12 + 12) + (
        16 * 4 + 4 + 4 * 16 + 16
    )
    assert costs[0].macs == costs[1].macs


def test_complexity_leaves_the_network_as_it_was():
    network = small_network("qana", "concat").train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    complexity(network, (16, 16, 3))
    assert all(module.training for module in network.modules())
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_four_times_the_pixels_cost_four_times_the_convolutions():
    network = small_network("akidanet", "separable")
    head = 16 * 3
    small, large = (complexity(network, (size, size, 3)).macs for size in (16, 32))
    assert large - head == 4 * (small - head)


@pytest.mark.parametrize(("name", "form"), KINDS)
def test_logits_are_one_row_per_image_at_any_image_size(name, form):
    network = settled_network(name, form)
    for height, width in ((16, 16), (17, 30), (9, 11)):
        assert network(pixels(2, height, width)).shape == (2, 3)


@pytest.mark.parametrize(("name", "form"), KINDS)
def test_an_image_is_classified_alike_alone_and_in_a_batch(name, form):
    network, images = settled_network(name, form), pixels(3)
    logits = network(images)
    assert logits.std(0).min() > 0.05  # images are told apart at all
    torch.testing.assert_close(network(images[1:2]), logits[1:2], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("name", "form"), KINDS)
def test_the_gradient_reaches_every_parameter(name, form):
    network = small_network(name, form).train()
    torch.nn.functional.cross_entropy(network(pixels(8)), torch.arange(8) % 3).backward()
    without = [key for key, value in network.named_parameters() if value.grad is None or not value.grad.any()]
    assert without == []


@pytest.mark.parametrize(("name", "form"), KINDS)
def test_a_network_knows_its_family_and_its_form(name, form):
    network = small_network(name, form)
    assert (network.name, network.form) == (name, form)
