"""Programs beyond the registers of an AKD1000 are refused; the mapper and the SDK's own rewrite agree."""

import akida
import conversions
import numpy as np
import pytest
from cnn2snn.transforms import fix_v1_activation_variables

from qana.conversion.v1_limits import require_v1_limits
from qana.errors import QanaError


@pytest.fixture
def program():
    model = akida.Model()
    same = {"padding": akida.Padding.Same, "act_bits": 4}
    stem = akida.InputConvolutional((16, 16, 3), (3, 3), 8, name="stem", weights_bits=8, **same)
    model.add(stem)
    model.add(akida.Convolutional((3, 3), 6, name="body", weights_bits=4, **same))
    model.add(akida.Convolutional((3, 3), 10, name="next", weights_bits=4, **same))
    model.add(akida.FullyConnected(5, name="head", weights_bits=4, activation=False))
    random = np.random.default_rng(0)
    for layer in model.layers:
        weights = layer.variables["weights"]
        layer.variables["weights"] = random.integers(-7, 8, weights.shape).astype(weights.dtype)
    return model


def put(program, name, variable, value):
    """Give one channel of a layer this value."""
    values = program.get_layer(name).variables[variable].copy()
    values[2] = value
    program.get_layer(name).variables[variable] = values


def maps(program):
    try:
        program.map(akida.AKD1000(), hw_only=True)
    except RuntimeError:
        return False
    return True


LEGAL = [
    ("stem", "act_step", 2**20 - 2),
    ("stem", "threshold", 2**23 - 2),
    ("stem", "threshold", -(2**23)),
    ("body", "act_step", 2**16 - 2),
    ("body", "threshold", 2**19 - 2),
    ("body", "threshold", -(2**19)),
    ("head", "act_step", 1e9),
    ("head", "threshold", -(2**22)),
]
BEYOND = [
    ("stem", "act_step", 2**20),
    ("stem", "threshold", 2**23),
    ("stem", "threshold", -(2**23) - 1),
    ("body", "act_step", 2**16),
    ("body", "threshold", 2**19),
    ("body", "threshold", -(2**19) - 1),
]


@pytest.mark.parametrize(("name", "variable", "value"), LEGAL)
def test_value_within_the_registers_passes_and_maps(program, name, variable, value):
    put(program, name, variable, value)
    require_v1_limits(program)
    assert maps(program)


@pytest.mark.parametrize(("name", "variable", "value"), BEYOND)
def test_value_beyond_the_registers_is_refused_here_and_by_the_mapper(program, name, variable, value):
    put(program, name, variable, value)
    with pytest.raises(QanaError, match=rf"{name}: .* in 1 of {8 if name == 'stem' else 6} channels"):
        require_v1_limits(program)
    assert not maps(program)


@pytest.mark.parametrize(("name", "variable", "value"), [BEYOND[0], BEYOND[1], BEYOND[3], BEYOND[4]])
def test_what_the_converter_leaves_of_a_value_beyond_the_registers_is_refused(program, name, variable, value):
    put(program, name, variable, value)
    with conversions.quiet():
        fix_v1_activation_variables(program)
    assert maps(program)  # it fits now, but is another network
    with pytest.raises(QanaError, match=name):
        require_v1_limits(program)


def test_converter_rounds_the_next_weights_down_without_a_word(program):
    """Why a check is needed: one part in 65535 too much costs every positive weight a whole code."""
    before = program.get_layer("next").variables["weights"].copy()
    put(program, "body", "act_step", 2**16)
    fix_v1_activation_variables(program)
    lost = before - program.get_layer("next").variables["weights"]
    reading = before[:, :, 2]  # the weights that read the changed channel
    np.testing.assert_array_equal(lost[:, :, 2], reading > 0)
    assert np.sum(lost) == np.sum(reading > 0) > 20


def test_all_layers_are_named_at_once_with_the_way_out(program):
    put(program, "stem", "threshold", 2**23)
    put(program, "body", "act_step", 1e6)
    put(program, "body", "threshold", -(2**20))
    with pytest.raises(
        QanaError, match=r"^3 value.*stem: threshold.*body: activation step.*body: thr"
    ) as refusal:
        require_v1_limits(program)
    assert "65535" in refusal.value.allowed
    assert "conversion=akida2" in refusal.value.fix
    assert refusal.value.where == "conversion.generation = 1"
