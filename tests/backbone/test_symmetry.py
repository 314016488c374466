"""Networks to which a photograph has no up: float, folded, quantized."""

import pytest
import torch
import torch.nn.functional as F
from small_networks import GENERATION, pixels, scheme_for, symmetric_network
from torch import nn
from torch.func import functional_call

from qana.backbone.symmetry import (
    ORDERS,
    begin_shared,
    moved,
    quotients,
    share_gradients,
    share_values,
    shared_by,
    units_of,
)
from qana.errors import QanaError
from qana.quantization.fold import fold
from qana.training.parameter_groups import parameter_groups

SYMMETRIES = ["rotations", "dihedral"]
SQUARE = dict(height=16, width=16)
EQUAL = 1e-4  # of float logits that are some 1 apart


def trained(network, steps=6, learning_rate=0.02):
    """Steps as `qana.training.SharedWeights` makes them; then norms that fit, and logits far apart."""
    shared = shared_by(units_of(network), network.symmetry)
    optimizer = torch.optim.AdamW(parameter_groups(network, learning_rate=learning_rate, weight_decay=0.02))
    images, target = pixels(12, **SQUARE), torch.arange(12) % 3
    network.train()
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(network(images), target).backward()
        share_gradients(shared)
        optimizer.step()
        share_values(shared)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        network(images)
        if norms:
            network.blocks[-1].conv.weight.mul_(10.0)
    share_values(shared)
    return network.eval()


def quantized(network, form, bits=4):
    scheme = scheme_for(GENERATION[form], bits)
    return scheme.apply(network, pixels(8, **SQUARE)).eval()


def differences(network, symmetry="dihedral"):
    """Largest change of a logit when images are moved, for each element of a group."""
    images = pixels(6, seed=5, **SQUARE)
    with torch.no_grad():
        logits = network(images)
        assert float(logits.std(0).min()) > 0.05, "the network tells no images apart"
        return [
            float((network(moved(images, element)) - logits).abs().max())
            for element in range(ORDERS[symmetry])
        ]


@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_what_comes_before_an_element_makes_another_one(symmetry):
    order = ORDERS[symmetry]
    image = torch.rand(1, 3, 5, 5)
    for element, row in enumerate(quotients(order)):
        for made, before in enumerate(row):
            assert torch.equal(moved(moved(image, before), element), moved(image, made))


@pytest.mark.parametrize("ghost_kernel_size", [1, 3])
@pytest.mark.parametrize("form", ["separable", "concat"])
@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_every_orientation_gives_the_same_logits(symmetry, form, ghost_kernel_size):
    torch.manual_seed(1)
    network = trained(symmetric_network(symmetry, form, ghost_kernel_size=ghost_kernel_size))
    assert max(differences(network, symmetry)) < EQUAL
    assert max(differences(fold(network), symmetry)) < EQUAL


def test_four_turns_are_no_mirror_and_no_symmetry_is_neither():
    torch.manual_seed(1)
    turned = differences(trained(symmetric_network("rotations")))
    assert max(turned[:4]) < EQUAL
    assert min(turned[4:]) > 1e-3
    assert min(differences(trained(symmetric_network("none")))[1:]) > 1e-3


@pytest.mark.parametrize("stage_block", ["separable", "conv"])
def test_other_blocks_keep_it_too(stage_block):
    torch.manual_seed(2)
    assert max(differences(trained(symmetric_network("dihedral", stage_block=stage_block)))) < EQUAL


@pytest.mark.parametrize(("form", "bits"), [("separable", 4), ("concat", 4), ("concat", 8)])
@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_the_integers_of_the_chip_keep_it_exactly(symmetry, form, bits):
    torch.manual_seed(3)
    network = quantized(trained(symmetric_network(symmetry, form)), form, bits)
    assert network.symmetry == symmetry
    assert max(differences(network, symmetry)) == 0.0


def test_the_quantized_phase_keeps_it_exactly():
    torch.manual_seed(3)
    network = quantized(trained(symmetric_network("dihedral")), "separable")
    before = [parameter.clone() for parameter in network.parameters()]
    trained(network, steps=3, learning_rate=1e-4)
    assert not any(torch.equal(*pair) for pair in zip(before, network.parameters(), strict=True))
    assert max(differences(network)) == 0.0
    network.snap()
    assert max(differences(network)) == 0.0


def test_averaged_gradients_are_those_of_the_shared_weights():
    torch.manual_seed(4)
    network = symmetric_network("dihedral")
    images, target = pixels(6, **SQUARE), torch.arange(6) % 3
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    shared = [each for each in shared_by(units_of(network), "dihedral") if id(each.tensor) in names]
    own = {names[id(each.tensor)]: each for each in shared}
    bases = {
        name: each.tensor.detach().flatten()[each.members[:, 0]].requires_grad_()
        for name, each in own.items()
    }
    full = {name: bases[name][each.index].view_as(each.tensor) for name, each in own.items()}
    F.cross_entropy(functional_call(network, full, images), target).backward()
    F.cross_entropy(network(images), target).backward()
    share_gradients(shared)
    for name, each in own.items():
        gradient = each.tensor.grad.flatten()[each.members[:, 0]] * 8
        torch.testing.assert_close(gradient, bases[name].grad, rtol=1e-3, atol=1e-6)


def test_the_head_keeps_a_bias_for_each_class():
    network = symmetric_network("dihedral")
    shared = {id(each.tensor) for each in shared_by(units_of(network), "dihedral")}
    left = [name for name, tensor in network.named_parameters() if id(tensor) not in shared]
    assert left == ["blocks.5.conv.bias"]


def test_without_symmetry_nothing_is_shared_and_nothing_drawn_changes():
    torch.manual_seed(5)
    plain = symmetric_network("none")
    assert shared_by(units_of(plain), "none") == []
    before = [parameter.clone() for parameter in plain.parameters()]
    begin_shared(units_of(plain), "none")
    assert all(torch.equal(*pair) for pair in zip(before, plain.parameters(), strict=True))


def test_all_that_breaks_the_symmetry_is_listed_at_once():
    with pytest.raises(QanaError, match="cannot be symmetric") as caught:
        symmetric_network("dihedral", stem_pool="none", ghost_attention="sa_eca", widths=[16, 24], features=9)
    error = caught.value
    for fault in ("stem_pool none", "attention", "12 channels, which are no orbits of 8", "9 channels"):
        assert fault in error.what
    assert "backbone: symmetry" in error.where
    assert "rotations, dihedral" in error.allowed
    assert "backbone.symmetry=none" in error.fix


def test_an_unknown_symmetry_is_refused():
    with pytest.raises(QanaError, match="unknown symmetry 'mirror'"):
        symmetric_network("mirror")
