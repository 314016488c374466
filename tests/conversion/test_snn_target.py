"""What `conversion=snn` chooses: what it refuses, and what it gives."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from small_networks import alone, quantized_network, scheme_for, small_network
from spiking_cases import folded, images
from torch import nn

from qana.backbone.ghost import GhostModule
from qana.backbone.unit import ConvUnit
from qana.conversion import SnnTarget
from qana.conversion.snn.product import Spiking
from qana.errors import QanaError

CONF = Path(__file__).parents[2] / "conf" / "conversion"
TRAINING = images(40, seed=3)


def target(**changes):
    config = OmegaConf.merge({"seed": 0}, {"conversion": OmegaConf.load(CONF / "snn.yaml")})
    config.conversion = OmegaConf.merge(config.conversion, {"batch_size": 4, **changes})
    return instantiate(config.conversion)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"time_steps": []}, ["time_steps = []"]),
        ({"time_steps": [0, 4]}, ["time_steps = [0, 4]"]),
        ({"time_steps": [-1]}, ["time_steps = [-1]"]),
        ({"time_steps": [4, 2]}, ["time_steps = [4, 2]"]),
        ({"time_steps": [4, 4]}, ["time_steps = [4, 4]"]),
        ({"percentile": 0.0}, ["percentile = 0.0"]),
        ({"percentile": 100.5}, ["percentile = 100.5"]),
        ({"percentile": float("nan")}, ["percentile = nan"]),
        ({"calibration_images": 0}, ["calibration_images = 0"]),
        ({"initial_potential": 1.0}, ["initial_potential = 1.0"]),
        ({"initial_potential": -0.1, "batch_size": 0}, ["initial_potential = -0.1", "batch_size = 0"]),
    ],
)
def test_settings_that_mean_nothing_are_refused_all_at_once(changes, named):
    arguments = dict(name="snn", generation=2, form="concat", percentile=99.9, calibration_images=8)
    arguments |= dict(initial_potential=0.5, time_steps=[1, 2], batch_size=4, seed=0)
    with pytest.raises(QanaError, match="no spiking network can be simulated") as caught:
        SnnTarget(**{**arguments, **changes})
    assert all(name in caught.value.what for name in named)
    assert caught.value.where == ", ".join(f"conversion.{name}" for name in named)
    assert "ascending time steps of at least 1" in caught.value.allowed


def test_a_quantized_run_is_refused_before_training():
    scheme = scheme_for(2)
    with pytest.raises(QanaError, match="takes a float network, not one quantized to w4a4") as caught:
        target().check(small_network("qana", "concat"), scheme, (18, 22, 3))
    assert caught.value.allowed == "quantization=none"


@pytest.mark.parametrize(
    ("name", "form"), [("qana", "concat"), ("qana", "separable"), ("akidanet", "concat")]
)
def test_networks_of_the_project_pass_before_training(name, form):
    target().check(small_network(name, form), None, (18, 22, 3))


def test_a_network_from_elsewhere_is_refused_before_training():
    with pytest.raises(QanaError, match="a Sequential, which is not a chain of units"):
        target().check(nn.Sequential(nn.Conv2d(3, 4, 3)), None, (18, 22, 3))


def test_parts_that_no_neuron_stands_for_are_named_all_at_once():
    network = alone(
        ConvUnit(3, 4, kernel_size=1, bound=1.0),
        GhostModule(4, 8, bound=1.0, cheap_activation=False),
        ConvUnit(8, 8, kernel_size=1, bound=None),
        nn.ReLU(),
        ConvUnit(8, 3, kernel_size=1, bound=1.0),
    )
    with pytest.raises(QanaError, match="cannot make a spiking network") as caught:
        target().check(network, None, (8, 8, 3))
    for named in (
        "blocks.1.cheap: no activation",
        "blocks.2: no activation",
        "blocks.3: ReLU",
        "blocks.4: ConvUnit",
    ):
        assert named in caught.value.what


@pytest.mark.parametrize("ending", ["annealed", "cut"])
def test_a_network_with_norms_and_gates_is_refused_by_their_names(ending):
    network = small_network("qana", "concat", gate_ending=ending).eval()
    with pytest.raises(QanaError, match="not folded") as caught:
        target().convert(network, training=TRAINING, images=images(2))
    for part in ("blocks.0.norm", "blocks.1.primary.norm", "blocks.1.primary.gate"):
        assert f"{part} (not folded)" in caught.value.what
    assert "fold the float network first" in caught.value.fix


def test_a_quantized_network_is_refused():
    network, _ = quantized_network("qana", "concat", 4)
    with pytest.raises(QanaError, match="cannot make a spiking network of a quantized network"):
        target().convert(network, training=TRAINING, images=images(2))


@pytest.fixture(scope="module")
def converted():
    torch.manual_seed(0)
    seen = images(6)
    made = target(time_steps=[2, 8], calibration_images=24)
    return made.convert(folded("qana-concat"), training=TRAINING, images=seen), seen


def test_every_layer_and_every_reading_is_there(converted):
    spiking, seen = converted
    network = folded("qana-concat")
    assert isinstance(spiking, Spiking)
    assert spiking.logits_over_time.shape == (2, len(seen), 3)
    np.testing.assert_array_equal(spiking.logits, spiking.logits_over_time[-1])
    units = [name for name, module in network.named_modules() if hasattr(module, "pool")]
    assert [layer.name for layer in spiking.layers] == units
    assert spiking.calibration_images == 24
    assert all(layer.spikes.shape == layer.synops.shape == (2, len(seen)) for layer in spiking.layers)
    assert all((layer.spikes[1] >= layer.spikes[0]).all() for layer in spiking.layers)
    first, *hidden, head = spiking.layers
    assert first.neurons == 9 * 11 * 6
    assert first.synops.max() == 0
    assert all(layer.synops[-1].min() > 0 for layer in (*hidden, head))
    assert (head.neurons, head.threshold, head.spikes.max()) == (0, None, 0)
    assert spiking.input_macs == 9 * 11 * 6 * 27


def test_no_neuron_fires_more_than_once_a_step(converted):
    spiking, _ = converted
    for layer in spiking.layers:
        assert layer.spikes[-1].max() <= 8 * layer.neurons


def test_the_first_images_alone_are_those_of_a_simulation_of_their_own(converted):
    spiking, seen = converted
    alone_ = target(time_steps=[2, 8], calibration_images=24).convert(
        folded("qana-concat"), training=TRAINING, images=seen[:4]
    )
    np.testing.assert_array_equal(spiking.first(4).logits, alone_.logits)
    for part, own in zip(spiking.first(4).layers, alone_.layers, strict=True):
        np.testing.assert_array_equal(part.spikes, own.spikes)


def test_thresholds_come_from_training_images_and_their_seed_alone(converted):
    spiking, _ = converted

    def thresholds(seed):
        made = target(time_steps=[1], calibration_images=24, seed=seed)
        found = made.convert(folded("qana-concat"), training=TRAINING, images=images(1, seed=99))
        return [layer.threshold for layer in found.layers]

    assert thresholds(0) == [layer.threshold for layer in spiking.layers]
    assert thresholds(1) != thresholds(0)


def test_the_float_network_is_left_as_it_was():
    network = folded("vgg_small-concat")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    target(time_steps=[2]).convert(network, training=TRAINING, images=images(1))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert network.blocks[0].relu.bound == 4.0
