"""Every backbone and every ablation as YAML composes it."""

import copy
import functools
import math
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from qana import backbone
from qana.backbone.attention import AnnealedGate, CutGate, SpatialEca, SqueezeExcitation
from qana.backbone.form import FORMS
from qana.backbone.ghost import GhostModule
from qana.backbone.unit import ConvUnit, SeparableUnit, Unit

CONF = Path(__file__).parents[2] / "conf"
CLASSES = {
    "akidanet": backbone.AkidaNet,
    "mobilenet_v1": backbone.MobileNetV1,
    "qana": backbone.Qana,
    "qana_l": backbone.Qana,
    "qana_m": backbone.Qana,
    "qana_s": backbone.Qana,
    "qana_xs": backbone.Qana,
    "resnet_small": backbone.ResnetSmall,
    "vgg_small": backbone.VggSmall,
}
OF_TIMM = {"timm"}  # has no form, see `test_timm_network`
ABLATIONS = [path.stem for path in sorted((CONF / "experiment").glob("ablation*.yaml"))]


@functools.cache  # composing takes longer than building
def composed(*overrides):
    with initialize_config_dir(str(CONF), version_base=None):
        return compose("config", overrides=list(overrides))


def built(*overrides, form=None):
    config = copy.deepcopy(composed(*overrides))
    if form is not None:
        config.conversion.form = form
    return instantiate(config.backbone, num_classes=7)


def modules(network, kind):
    return [module for module in network.modules() if isinstance(module, kind)]


def test_every_config_is_listed_here():
    assert {path.stem for path in (CONF / "backbone").glob("*.yaml")} == {*CLASSES, *OF_TIMM}


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("form", FORMS)
def test_config_builds_its_network_in_the_form_of_the_target(name, form):
    network = built(f"backbone={name}", form=form)
    assert type(network) is CLASSES[name]
    assert network.form == form


def test_small_is_the_default_by_another_name():
    default, small = (
        [(key, value.shape) for key, value in network.state_dict().items()]
        for network in (built(), built("backbone=qana_s"))
    )
    assert default == small


def test_each_size_has_more_parameters_and_more_macs_than_the_one_before():
    sizes = [
        backbone.complexity(built(f"backbone=qana_{size}"), (128, 128, 3)) for size in ("xs", "s", "m", "l")
    ]
    assert [size.parameters for size in sizes] == sorted({size.parameters for size in sizes})
    assert [size.macs for size in sizes] == sorted({size.macs for size in sizes})


@pytest.mark.parametrize(
    ("name", "side", "rows"), [("qana_xs", 64, 4), ("qana_s", 64, 4), ("qana_m", 128, 4), ("qana_l", 128, 4)]
)
def test_the_average_sees_as_many_positions_as_the_registers_of_akida_1_hold(name, side, rows):
    layers = backbone.layer_complexity(built(f"backbone={name}"), (side, side, 3), activation_bits=4)
    assert layers[-3].output_shape[:2] == (rows, rows)  # ahead of the pooled layer


def test_a_quarter_of_the_width_is_about_a_sixteenth_of_the_weights():
    full, quarter = (
        backbone.complexity(built("backbone=akidanet", f"backbone.width_multiplier={width}"), (64, 64, 3))
        for width in (1, 0.25)
    )
    assert 10 < full.parameters / quarter.parameters < 16


def test_every_ablation_is_listed_here():
    assert ABLATIONS == [
        "ablation",
        "ablation_no_annealing",
        "ablation_no_attention",
        "ablation_no_ghost",
        "ablation_no_sa_eca",
        "ablation_no_se",
        "ablation_plain_relu",
        "ablation_separable",
    ]


@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablation_differs_from_its_reference_in_its_part_of_the_backbone_alone(name):
    reference, ablated = (composed(f"experiment={recipe}") for recipe in ("ablation", name))
    changed = [key for key in reference.backbone if reference.backbone[key] != ablated.backbone[key]]
    both = ["ghost_attention", "transition_attention"]
    assert changed == both if name == "ablation_no_attention" else len(changed) == (name != "ablation")
    for group in ("dataset", "quantization", "conversion", "training", "evaluation"):
        assert ablated[group] == reference[group]


def test_the_default_network_is_that_without_the_attention_that_did_not_help():
    assert composed("experiment=ablation_no_attention").backbone == composed("dataset=ham10000").backbone


@pytest.mark.parametrize("form", FORMS)
def test_without_ghosts_no_depthwise_branch_is_left(form):
    network = built("experiment=ablation_no_ghost", form=form)
    assert not modules(network, (GhostModule, SeparableUnit))
    assert all(unit.conv.groups == 1 for unit in modules(network, ConvUnit))


def test_each_attention_can_be_left_out_alone():
    without_sa_eca = built("experiment=ablation_no_sa_eca")
    without_se = built("experiment=ablation_no_se")
    assert [bool(modules(without_sa_eca, kind)) for kind in (SpatialEca, SqueezeExcitation)] == [False, True]
    assert [bool(modules(without_se, kind)) for kind in (SpatialEca, SqueezeExcitation)] == [True, False]


def test_without_bounds_every_activation_is_a_plain_relu():
    units = modules(built("experiment=ablation_plain_relu"), Unit)
    assert {unit.relu.bound for unit in units[:-1]} == {math.inf}


def test_without_annealing_every_gate_is_cut():
    gates = modules(built("experiment=ablation_no_annealing"), AnnealedGate)
    assert len(gates) == 8
    assert all(isinstance(gate, CutGate) for gate in gates)


@pytest.mark.parametrize("experiment", ["ablation_no_ghost", "ablation_separable"])
def test_the_macs_in_the_header_of_a_recipe_are_those_of_its_network(experiment):
    header = (CONF / "experiment" / f"{experiment}.yaml").read_text()
    macs = backbone.complexity(built(f"experiment={experiment}"), (64, 64, 3)).macs
    default = backbone.complexity(built(), (64, 64, 3)).macs
    assert f"{macs / 1e6:.1f} instead of {default / 1e6:.1f} million MACs" in header
