"""The dry run refuses what the capability table cannot know: other networks, dead ones, wrong programs."""

import shutil
from pathlib import Path

import numpy as np
import planted_networks
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from small_networks import scheme_for

from qana.conversion import dry_run as module
from qana.conversion.dry_images import dry_images
from qana.conversion.dry_run import dry_run, quantize_untrained
from qana.errors import QanaError

CONF = Path(__file__).parents[1] / "conf" / "conversion"
SHAPE = (32, 40, 3)


def untrained(network, generation=1):
    form = {1: "separable", 2: "concat"}[generation]
    planted = getattr(planted_networks, network)(num_classes=7, form=form)
    return quantize_untrained(planted, scheme_for(generation), dry_images(8, SHAPE))


def test_drawn_images_differ_and_use_the_whole_range_and_are_always_the_same():
    images = dry_images(8, SHAPE)
    assert images.shape == (8, *SHAPE)
    assert images.dtype == np.uint8
    assert images.min() < 30
    assert images.max() > 225
    assert np.ptp(images.mean((1, 2)), axis=0).min() > 40
    np.testing.assert_array_equal(images, dry_images(8, SHAPE))
    assert dry_images(1, (2, 3, 3)).shape == (1, 2, 3, 3)


@pytest.mark.parametrize("generation", [1, 2])
def test_untrained_network_answers_each_image_differently(generation):
    quantized = untrained("Legal", generation)
    pixels = torch.from_numpy(dry_images(8, SHAPE)).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        logits = quantized(pixels)
    assert logits.std(0).min() > 0.01


@pytest.mark.parametrize(
    ("network", "place"),
    [
        ("SymmetricPadStride2", r"blocks\.2 \(off by"),
        ("DilatedConvolution", r"blocks\.2 \(off by"),
        ("PadBefore", r"blocks\.2 \(off by"),
        ("PerChannelActivation", r"blocks\.2 \(off by"),
    ],
)
def test_block_that_would_become_another_one_is_named_by_what_it_computes(network, place):
    """Whatever the capability table says: the numbers of torch and of what goes to ONNX differ."""
    with pytest.raises(QanaError, match=rf"1 block\(s\) compute something.*{place}") as refusal:
        untrained(network)
    assert refusal.value.where == "backbone"
    assert "GhostModule" in refusal.value.allowed


@pytest.mark.parametrize(
    ("network", "fault"),
    [
        ("NotANumber", r"blocks\.2\.conv gives values that are not finite"),
        ("AllZeroLayer", r"blocks\.2\.conv gives no difference"),
    ],
)
def test_dead_network_is_refused_with_the_first_dead_layer(network, fault):
    with pytest.raises(QanaError, match=fault) as refusal:
        untrained(network)
    assert "finite weights" in refusal.value.allowed


def test_network_that_is_tried_is_left_as_it_is():
    network = planted_networks.Legal(num_classes=7, form="separable").train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    quantize_untrained(network, scheme_for(1), dry_images(8, SHAPE))
    assert network.training
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    """One real conversion: target, network, what came out, and a copy of what the child left behind."""
    folder = tmp_path_factory.mktemp("tried")
    target = instantiate(OmegaConf.load(CONF / "akd1000.yaml"))
    torch.manual_seed(0)
    network = planted_networks.Legal(num_classes=7, form="separable")

    def convert_and_keep(*arguments):
        convert(*arguments)
        shutil.copytree(arguments[1], folder / "job")

    convert = module._convert
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_convert", convert_and_keep)
        result = dry_run(target, network, scheme_for(1), SHAPE, folder)
    return target, network, result, folder / "job"


def test_legal_network_becomes_an_exact_program_on_the_chip(tried):
    result = tried[2]
    assert [layer.max_error_lsb for layer in result.layers] == [0.0, 0.0, 0.0, 0.0, None]
    assert result.mapping.hardware_only
    assert result.mapping.nps == sum(layer.nps for layer in result.layers) > 0
    assert list(result.modules.values()) == [f"blocks.{index}" for index in range(5)]


CHANGES = {
    "an integer of a layer": ("codes.npz", "layer_2", r"first layer that diverges: layer_2 \(blocks\.2\)"),
    "a weight": ("weights.npz", "layer_2.weights", r"layer_2 .*1 of \d+ weights are others in the program"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_program_that_differs_in_one_number_is_refused(tried, tmp_path, monkeypatch, change):
    target, network, _, job_before = tried
    file, name, named = CHANGES[change]

    def replay(target, job, folder):
        shutil.copytree(job_before, job, dirs_exist_ok=True)
        with np.load(job / file) as arrays:
            changed = {each: values.copy() for each, values in arrays.items()}
        changed[name].flat[0] += 1
        np.savez(job / file, **changed)

    monkeypatch.setattr(module, "_convert", replay)
    with pytest.raises(QanaError, match=named):
        dry_run(target, network, scheme_for(1), SHAPE, tmp_path)
