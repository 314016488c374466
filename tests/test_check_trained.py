"""Faults that only a trained network can have, planted through its weights: the conversion refuses them."""

from pathlib import Path

import planted_networks
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from small_networks import scheme_for

from qana.conversion.dry_images import dry_images
from qana.errors import QanaError

CONF = Path(__file__).parents[1] / "conf" / "conversion"
FORMS = {1: "separable", 2: "concat"}
CHIPS = {1: "akd1000", 2: "akida2"}


def trained(network, generation, bits, shape):
    """A network of which nothing was wrong before it was trained."""
    torch.manual_seed(0)
    made = getattr(planted_networks, network)(num_classes=7, form=FORMS[generation])
    pixels = torch.from_numpy(dry_images(8, shape)).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        made.train()(pixels)
    scheme = scheme_for(generation, bits)
    return scheme.apply(made, pixels)


def reload(network, change):
    """The network with the weights of a checkpoint, in which `change` has happened to one layer."""
    state = {name: value.clone() for name, value in network.state_dict().items()}
    change(state["blocks.2.unit.conv.weight"])
    network.load_state_dict(state)
    return network


def convert(network, generation, shape, folder):
    target = instantiate(OmegaConf.load(CONF / f"{CHIPS[generation]}.yaml"))
    return target.convert(network, images=dry_images(8, shape), folder=folder)


FAULTS = {
    "NaN": (lambda weight: weight[0, 0, 1, 1].fill_(torch.nan), "1 of 576 values of weight are NaN"),
    "infinity": (lambda weight: weight[0, 0].fill_(torch.inf), "9 of 576 values of weight are infinite"),
    "zeros": (lambda weight: weight.zero_(), "all 576 weights are zero"),
}


@pytest.mark.parametrize("generation", [1, 2])
@pytest.mark.parametrize("fault", FAULTS)
def test_checkpoint_with_a_planted_fault_is_refused_before_the_sdk_starts(tmp_path, fault, generation):
    change, named = FAULTS[fault]
    shape = (32, 32, 3)
    network = reload(trained("Legal", generation, 4, shape), change)
    with pytest.raises(QanaError, match=rf"blocks\.2\.unit\.conv: {named}") as refusal:
        convert(network, generation, shape, tmp_path)
    assert refusal.value.allowed
    assert refusal.value.fix
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_trained_pool_that_saturates_is_refused_with_its_layer_and_register(tmp_path):
    """On v2 at 8 bits; the program is wrong there, and nothing in the SDK says so."""
    shape = (48, 48, 3)
    network = trained("SaturatingPool", 2, 8, shape)
    with pytest.raises(QanaError, match=r"layer_2 \(blocks\.2\): the pooled sum .* reaches 2\^31\.\d\d"):
        convert(network, 2, shape, tmp_path)
