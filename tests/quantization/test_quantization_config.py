"""Every bit-width recipe and every study of bit-widths as YAML composes it."""

import functools
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from qana.quantization import Quantization
from qana.training import FineTuning

CONF = Path(__file__).parents[2] / "conf"
BITS = {
    "w8a8": (8, 8, "max"),
    "w4a8": (4, 8, "max"),
    "w4a4": (4, 4, "max"),
    "w2a4": (2, 4, "max"),
    "w4a2": (4, 2, "max"),
    "w4a1": (4, 1, "max"),
    "w2a2": (2, 2, "max"),
    "w2a1": (2, 1, "max"),
    "ternary": (2, 4, "ternary"),
}


@functools.cache
def composed(*overrides):
    with initialize_config_dir(str(CONF), version_base=None):
        return compose("config", overrides=list(overrides))


def test_every_recipe_is_listed_here():
    assert {path.stem for path in (CONF / "quantization").glob("*.yaml")} == {*BITS, "w4a4_edge", "none"}


@pytest.mark.parametrize("name", BITS)
def test_a_recipe_is_one_key_and_says_its_bits(name):
    scheme = instantiate(composed(f"quantization={name}", "conversion=akida2").quantization)
    assert isinstance(scheme, Quantization)
    assert (scheme.weight_bits, scheme.activation_bits, scheme.weight_rule) == BITS[name]
    assert (scheme.input_weight_bits, scheme.generation) == (8, 2)
    assert (scheme.calibration, scheme.ranges) == ("mse", "calibrated")


def test_the_recipe_for_learning_on_the_chip_narrows_the_last_activation_alone():
    scheme = instantiate(composed("quantization=w4a4_edge").quantization)
    plain = vars(instantiate(composed("quantization=w4a4").quantization))
    assert vars(scheme) == {**plain, "last_activation_bits": 1}


def test_fine_tuning_is_off_unless_asked_for():
    tuning = instantiate(composed().training.fine_tuning)
    assert isinstance(tuning, FineTuning)
    assert (tuning.distillation, tuning.feature_distillation, tuning.event_penalty) == (0.0, 0.0, 0.0)
    assert tuning.averaging == "none"


def test_the_studies_of_bit_widths_compose_into_what_their_headers_say():
    plain, second = (composed(f"experiment={name}") for name in ("bit_widths", "bit_widths_v2"))
    assert (plain.conversion.name, second.conversion.name) == ("akd1000", "akida2")
    assert plain.training == second.training
    helped = composed("experiment=bit_widths_recipe", "quantization=ternary")
    assert (helped.quantization.ranges, helped.quantization.weight_bits) == ("learned", 2)
    assert helped.training.fine_tuning.distillation == 0.5
    assert helped.training.fine_tuning.averaging == "ema"
    assert plain.training.float_epochs == helped.training.float_epochs
