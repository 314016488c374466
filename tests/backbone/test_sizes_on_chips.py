"""Every size and every baseline, untrained, on the chips that it is meant for; a minute or so each."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from qana.conversion.dry_run import dry_run

CONF = Path(__file__).parents[2] / "conf"
ONE_PASS = [
    ("qana_xs", "akd1500", 64),
    ("qana_s", "akd1000", 64),
    ("qana_m", "akd1000", 128),
    ("akidanet", "akd1000", 64),
    ("mobilenet_v1", "akd1000", 64),
    ("vgg_small", "akd1000", 64),
]
SECOND_GENERATION = [
    ("qana_xs", 64),
    ("qana_s", 64),
    ("qana_m", 128),
    ("qana_l", 128),
    ("akidanet", 64),
    ("mobilenet_v1", 64),
    ("vgg_small", 64),
    ("resnet_small", 64),
]
ABLATED = ["ablation_no_ghost", "ablation_separable", "ablation_plain_relu"]

pytestmark = pytest.mark.slow


def mapped(folder, side, *overrides):
    with initialize_config_dir(str(CONF), version_base=None):
        config = compose("config", overrides=list(overrides))
        network = instantiate(config.backbone, num_classes=7)
        target, quantization = instantiate(config.conversion), instantiate(config.quantization)
    target.check(network, quantization, (side, side, 3))
    return dry_run(target, network, quantization, (side, side, 3), folder).mapping


@pytest.mark.parametrize(("name", "target", "side"), ONE_PASS)
def test_the_first_generation_runs_it_in_one_pass(tmp_path, name, target, side):
    mapping = mapped(tmp_path, side, f"backbone={name}", f"conversion={target}")
    assert (mapping.hardware_only, mapping.passes) == (True, 1)


@pytest.mark.parametrize(("name", "side"), SECOND_GENERATION)
def test_the_second_generation_runs_it_in_hardware_alone(tmp_path, name, side):
    assert mapped(tmp_path, side, f"backbone={name}", "conversion=akida2").hardware_only


@pytest.mark.parametrize("recipe", ABLATED)
def test_an_ablated_network_fits_the_chip_of_its_study(tmp_path, recipe):
    mapping = mapped(tmp_path, 64, f"experiment={recipe}")
    assert (mapping.hardware_only, mapping.passes) == (True, 1)


@pytest.mark.parametrize(
    "overrides",
    [
        ("backbone=resnet_small", "quantization=w8a8"),
        ("backbone=qana_xs", "backbone.attention_form=additive"),
        ("backbone=qana_xs", "backbone.attention_form=additive", "quantization=w8a8"),
    ],
)
def test_sums_run_on_the_second_generation(tmp_path, overrides):
    assert mapped(tmp_path, 64, *overrides, "conversion=akida2").hardware_only
