"""A network of timm by its name: runs in float, and every chip says why not."""

import pytest
import torch
from small_networks import pixels, scheme_for

from qana.backbone import TimmNetwork, complexity
from qana.conversion.capabilities import Capabilities
from qana.conversion.no_target import NoTarget
from qana.errors import QanaError

SIDE = 32


@pytest.fixture(scope="module")
def network():
    return TimmNetwork(num_classes=5, model="resnet10t", pretrained=False).eval()


def test_pixels_become_logits_by_the_normalization_of_the_model(network):
    images = pixels(2, SIDE, SIDE)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])  # of ImageNet
    normalized = (images / 255 - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)
    with torch.no_grad():
        torch.testing.assert_close(network(images), network.network(normalized), atol=1e-5, rtol=1e-4)
        assert network(images).shape == (2, 5)


def test_it_knows_its_name_and_that_it_has_no_form_of_a_chip(network):
    assert (network.name, network.form) == ("resnet10t", "float")
    assert complexity(network, (SIDE, SIDE, 3)).parameters == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("generation", [1, 2])
def test_a_chip_names_every_layer_that_it_does_not_run_with_its_path(network, generation):
    offences = Capabilities(generation, ((4, 4),), 144).offences(network, (SIDE, SIDE, 3))
    named = {each.module for each in offences}
    convolutions = {path for path, m in network.named_modules() if isinstance(m, torch.nn.Conv2d)}
    activations = {path for path, m in network.named_modules() if isinstance(m, torch.nn.ReLU)}
    assert convolutions | activations <= named
    assert all(each.found and each.rewrite and each.allowed for each in offences)


def test_an_unknown_name_is_refused_with_the_closest_ones():
    with pytest.raises(QanaError, match="timm has no model 'resnet_18'") as refusal:
        TimmNetwork(num_classes=5, model="resnet_18", pretrained=False)
    assert refusal.value.where == "backbone.model = resnet_18"
    assert "resnet18" in refusal.value.fix


def test_quantization_refuses_it(network):
    scheme = scheme_for(2, calibration_images=4)
    nothing = NoTarget(name="none", generation=2, form="concat")
    with pytest.raises(QanaError, match="not made of units"):
        nothing.check(network, scheme, (SIDE, SIDE, 3))
    nothing.check(network, None, (SIDE, SIDE, 3))


def test_an_image_size_that_the_model_does_not_take_is_refused_before_training():
    network = TimmNetwork(num_classes=5, model="vit_tiny_patch16_224", pretrained=False)
    nothing = NoTarget(name="none", generation=2, form="concat")
    with pytest.raises(QanaError, match="no answer to an image of 32x32") as refusal:
        nothing.check(network, None, (SIDE, SIDE, 3))
    assert "dataset.image_size" in refusal.value.where
