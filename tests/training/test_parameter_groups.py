import pytest
import torch
from small_networks import KINDS, pixels, quantized_network, small_network
from torch import nn

from qana.training.parameter_groups import parameter_groups


def groups_of(network):
    return parameter_groups(network, learning_rate=0.1, weight_decay=0.02)


@pytest.mark.parametrize(("name", "form"), KINDS)
def test_every_parameter_is_in_one_group(name, form):
    for network in (small_network(name, form), quantized_network(name, form, 4)[0]):
        grouped = [id(parameter) for group in groups_of(network) for parameter in group["params"]]
        assert sorted(grouped) == sorted(id(parameter) for parameter in network.parameters())


@pytest.mark.parametrize(("name", "form"), KINDS)
def test_biases_and_norms_do_not_decay(name, form):
    for network in (small_network(name, form), quantized_network(name, form, 4)[0]):
        for group in groups_of(network):
            assert {parameter.ndim > 1 for parameter in group["params"]} == {group["weight_decay"] > 0}


def test_a_float_network_has_one_rate():
    assert {group["lr"] for group in groups_of(small_network("qana", "separable"))} == {0.1}


def test_weights_that_read_pixels_step_as_if_they_were_held_times_255():
    network, _ = quantized_network("qana", "separable", 4)
    stem = network.units()[0].unit.conv.weight
    larger = nn.Parameter(stem.detach() * 255)
    (group,) = (group for group in groups_of(network) if any(p is stem for p in group["params"]))
    gradient = torch.randn_like(stem).sign() * 10
    stem.grad, larger.grad = gradient, gradient / 255
    torch.optim.AdamW([group]).step()
    torch.optim.AdamW([larger], lr=0.1, weight_decay=0.02).step()
    torch.testing.assert_close(stem * 255, larger, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("name", "form"), KINDS)
def test_quantization_aware_training_comes_nearer_to_the_float_network(name, form):
    network, source = quantized_network(name, form, 4)
    images, losses = pixels(12), []
    with torch.no_grad():
        wanted = source(images)
    groups = parameter_groups(network.train(), learning_rate=1e-3, weight_decay=0.0)
    optimizer = torch.optim.AdamW(groups)
    for _ in range(40):
        loss = nn.functional.mse_loss(network(images), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    # With one rate for all the stem is overwritten and the loss rises threefold.
    assert sum(losses[-5:]) / 5 < 0.8 * losses[0]
