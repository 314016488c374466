"""Every recipe of conf/quantization, on every target: refused at composition, or equal to its program."""

import shutil
import subprocess
import sys
from pathlib import Path

import akida
import conversions
import layerwise
import numpy as np
import pytest
import small_networks
import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from qana.backbone.unit import ConvUnit, HeadUnit, SeparableUnit
from qana.errors import QanaError

CONF = Path(__file__).parents[2] / "conf"
SIZE = (16, 20)
LEGAL = {
    "akd1000": ("w4a4", "w4a2", "w4a1", "w2a4", "w2a2", "w2a1", "ternary", "w4a4_edge"),
    "akd1500": ("w4a4", "w4a2", "w4a1", "w2a4", "w2a2", "w2a1", "ternary", "w4a4_edge"),
    "akida2": ("w4a4", "w8a8", "w4a8"),
}
RECIPES = sorted(path.stem for path in (CONF / "quantization").glob("*.yaml") if path.stem != "none")


def scheme(recipe, generation, **changes):
    """A recipe as Hydra composes it."""
    base = OmegaConf.load(CONF / "quantization" / "w4a4.yaml")
    own = OmegaConf.load(CONF / "quantization" / f"{recipe}.yaml")
    own.pop("defaults", None)
    return instantiate(OmegaConf.merge(base, own, {"generation": generation}, changes))


def target(name):
    return instantiate(OmegaConf.load(CONF / "conversion" / f"{name}.yaml"))


def plain_network(generation):
    """Units that every pair of bit-widths of a generation runs on, none of them depthwise on v2."""
    before = generation == 1
    units = [
        ConvUnit(3, 6, kernel_size=3, stride=2, bound=4.0, input_scale=1 / 255),
        SeparableUnit(6, 8, bound=4.0, ghost=True) if before else ConvUnit(6, 8, kernel_size=3, bound=4.0),
        ConvUnit(
            8, 8, kernel_size=1, bound=4.0, pool="global_before_relu" if before else "global_after_relu"
        ),
        HeadUnit(8, 3),
    ]
    torch.manual_seed(3)
    network = small_networks.alone(*units)
    network.form = "separable" if before else "concat"
    return small_networks.settled(network, 1, small_networks.pixels(16, *SIZE))


def quantized(recipe, generation, **changes):
    images = small_networks.pixels(16, *SIZE)
    return scheme(recipe, generation, **changes).apply(plain_network(generation), images).eval()


def test_there_is_a_recipe_for_every_pair_of_every_target():
    pairs = {name: target(name).capabilities.bit_widths for name in LEGAL}
    for name, recipes in LEGAL.items():
        of_recipes = {(s.weight_bits, s.activation_bits) for s in (scheme(each, 1) for each in recipes)}
        assert of_recipes == set(pairs[name])
    assert set(RECIPES) == {recipe for recipes in LEGAL.values() for recipe in recipes}


@pytest.mark.parametrize("name", sorted(LEGAL))
@pytest.mark.parametrize("recipe", RECIPES)
def test_recipes_are_refused_or_pass_before_training(name, recipe):
    chosen = target(name)
    network = plain_network(chosen.generation)
    if recipe in LEGAL[name]:
        chosen.check(network, scheme(recipe, chosen.generation), (*SIZE, 3))
        return
    if recipe == "w4a4_edge":  # needs no network to be refused
        with pytest.raises(InstantiationException, match="no last activation of 1 bits on generation 2"):
            scheme(recipe, chosen.generation)
        return
    with pytest.raises(QanaError, match=f"target {name} does not run w") as refusal:
        chosen.check(network, scheme(recipe, chosen.generation), (*SIZE, 3))
    assert "w4a4" in refusal.value.allowed


def test_depthwise_layers_are_refused_at_w4a8_and_named():
    network = small_networks.small_network("qana", "concat")
    with pytest.raises(QanaError, match=r"blocks\.1\.cheap: a depthwise convolution at w4a8") as refusal:
        target("akida2").check(network, scheme("w4a8", 2), (32, 32, 3))
    assert "vgg_small" in refusal.value.what


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        (["quantization=w8a8"], "akd1000 does not run w8a8 for Akida v1"),
        (["quantization=w2a4", "conversion=akida2"], "akida2 does not run w2a4 for Akida v2"),
        (["quantization=w4a4_edge", "conversion=akida2"], "no last activation of 1 bits"),
        (["quantization=ternary", "quantization.weight_bits=4"], "weight_rule = ternary"),
        (["quantization=w4a4", "quantization.weight_bits=1"], "weight_bits = 1"),
    ],
)
@pytest.mark.slow
def test_the_command_refuses_illegal_bits_with_exit_code_2(tmp_path, overrides, text):
    command = [sys.executable, "-c", "import sys; sys.argv[0] = 'qana'; from qana.cli import main; main()"]
    done = subprocess.run(
        [*command, "run", *overrides, f"output_dir={tmp_path}/run"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert text in " ".join(done.stderr.split())
    assert not (tmp_path / "run").exists()


PROVEN = [("w2a4", 1), ("w4a2", 1), ("w4a1", 1), ("w4a4_edge", 1), ("w4a8", 2)]
SLOWLY = [("w2a2", 1), ("w2a1", 1), ("w4a4", 1), ("w4a4", 2), ("w8a8", 2)]


@pytest.mark.parametrize(
    ("recipe", "generation"),
    [*PROVEN, *(pytest.param(*each, marks=pytest.mark.slow) for each in SLOWLY)],
)
def test_legal_bits_give_the_same_integers_in_torch_and_akida(tmp_path, recipe, generation):
    network = quantized(recipe, generation)
    converted = conversions.convert(network, tmp_path, size=SIZE)
    program, trained = layerwise.assert_equal_in_every_layer(converted, conversions.images(16, 5, *SIZE))
    for name, codes in trained.items():
        assert len(np.unique(codes)) > 1, f"{name} says nothing"
    device = akida.AKD1000() if generation == 1 else akida.SixNodesIPv2()
    program.map(device, hw_only=True, mode=akida.MapMode.Minimal)


@pytest.fixture(scope="module")
def learned_ternary(tmp_path_factory):
    """Ternary weights under learned ranges that have moved, converted."""
    network = quantized("ternary", 1, ranges="learned")
    with torch.no_grad():
        for unit, moved in zip(network.units()[:-1], (0.3, -0.2, 0.45), strict=True):
            unit.range.log2.fill_(moved)
    batch = small_networks.pixels(16, *SIZE, seed=5)
    with torch.no_grad():
        before = network(batch)
    converted = conversions.convert(network, tmp_path_factory.mktemp("ternary"), size=SIZE)
    with torch.no_grad():
        return converted, before, network(batch)


def test_ternary_weights_and_learned_ranges_give_the_same_integers_too(learned_ternary):
    converted, _, _ = learned_ternary
    layerwise.assert_equal_in_every_layer(converted, conversions.images(16, 5, *SIZE))


def test_conversion_does_not_change_what_a_network_with_learned_ranges_says(learned_ternary):
    _, before, after = learned_ternary
    assert before.std(0).min() > 0.01
    torch.testing.assert_close(after, before, atol=0, rtol=0)


def test_other_calibration_images_give_the_same_program_byte_for_byte(learned_ternary, tmp_path):
    converted, _, _ = learned_ternary
    black = np.zeros((3, *SIZE, 3), np.uint8)
    again = conversions.convert(converted.network, tmp_path, samples=black, size=SIZE)
    assert again.program_path.read_bytes() == converted.program_path.read_bytes()
    shutil.copy(again.program_path, tmp_path / "copy.fbz")
    assert akida.Model(str(tmp_path / "copy.fbz")).layers[0].name == "layer_0"
