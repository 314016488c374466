"""What every baseline has to do, whatever it is made of; AkidaNet is among the kinds of `test_network`."""

import pytest
import torch
from baselines import BUILD
from small_networks import GENERATION, pixels, scheme_for, settled

from qana.quantization import fold

CASES = [(name, form) for name in BUILD for form in GENERATION]


def trained(name, form):
    network = BUILD[name](form)
    with torch.no_grad():
        network.blocks[-1].conv.weight.mul_(5.0)
    return settled(network, images=pixels(16))


@pytest.mark.parametrize(("name", "form"), CASES)
def test_a_baseline_knows_its_family_and_its_form(name, form):
    network = BUILD[name](form)
    assert (network.name, network.form) == (name, form)


@pytest.mark.parametrize(("name", "form"), CASES)
def test_logits_are_one_row_per_image_at_any_image_size(name, form):
    network = trained(name, form)
    for height, width in ((16, 16), (17, 30), (9, 11)):
        logits = network(pixels(3, height, width))
        assert logits.shape == (3, 3)
        assert logits.std(0).min() > 0.01  # images are told apart at all


@pytest.mark.parametrize(("name", "form"), CASES)
def test_the_gradient_reaches_every_parameter(name, form):
    network = BUILD[name](form).train()
    torch.nn.functional.cross_entropy(network(pixels(8)), torch.arange(8) % 3).backward()
    without = [key for key, value in network.named_parameters() if value.grad is None or not value.grad.any()]
    assert without == []


@pytest.mark.parametrize(("name", "form"), CASES)
def test_folding_keeps_the_outputs(name, form):
    network = trained(name, form)
    torch.testing.assert_close(fold(network)(pixels(4)), network(pixels(4)), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("name", "form"), CASES)
def test_a_quantized_baseline_follows_its_float_one(name, form):
    network, bits = trained(name, form), 4 if form == "separable" else 8
    scheme = scheme_for(GENERATION[form], bits, calibration_images=16)
    quantized = scheme.apply(network, pixels(16)).eval()
    images = pixels(32, seed=1)
    correlation = torch.corrcoef(torch.stack((network(images).flatten(), quantized(images).flatten())))[0, 1]
    assert correlation > (0.8 if bits == 4 else 0.98)
