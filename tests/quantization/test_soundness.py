import pytest
import torch
from small_networks import pixels, settled_network

from qana.errors import QanaError
from qana.quantization import fold
from qana.quantization.soundness import require_finite, require_living


def test_sound_networks_pass():
    network = settled_network("qana", "separable")
    require_finite(fold(network))
    require_living(network, pixels(4))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_without_numbers_are_named_with_their_channels(value):
    network = settled_network("qana", "separable")
    with torch.no_grad():
        network.blocks[1].conv.weight[2:4] = value
        network.blocks[-1].conv.bias[0] = value
    with pytest.raises(QanaError) as refusal:
        require_finite(fold(network))
    assert f"blocks.1: 2 of {network.blocks[1].out_channels} channels" in refusal.value.what
    assert "1 of 3 channels" in refusal.value.what
    assert "2 layer(s)" in refusal.value.what


def test_a_norm_that_has_seen_one_value_only_is_fine_and_a_negative_variance_is_not():
    network = settled_network("akidanet", "concat")
    network.blocks[1].norm.running_var[0] = 0.0
    require_finite(fold(network))
    network.blocks[1].norm.running_var[0] = -1.0
    with pytest.raises(QanaError, match=r"blocks\.1: 1 of"):
        require_finite(fold(network))


def test_dead_layers_are_named_and_single_dead_channels_pass():
    network = settled_network("qana", "separable")
    norm = network.blocks[2].norm
    norm.weight.data[0] = 0.0
    norm.bias.data[0] = -1.0
    require_living(network, pixels(4))
    norm.weight.data.zero_()
    norm.bias.data.fill_(-1.0)
    with pytest.raises(QanaError, match=r"blocks\.2: all \d+ channels") as refusal:
        require_living(network, pixels(4))
    assert "4 calibration images" in refusal.value.what
    assert not network.training
