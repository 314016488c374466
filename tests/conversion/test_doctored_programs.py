"""Real programs, with one thing changed on purpose: each is refused by the name of its layer and module."""

import re
from dataclasses import dataclass
from typing import Any

import akida
import judged
import numpy as np
import pytest

from qana.conversion.acceptance.headroom import POOLED_V2, POTENTIAL_V2
from qana.conversion.acceptance.program_structure import require_coverage
from qana.conversion.acceptance.torch_weights import weight_faults
from qana.conversion.akida_layers import describe_layer, layer_outputs, program_weights
from qana.conversion.keras_to_akida import require_whole_program
from qana.errors import QanaError


@dataclass
class Doctored:
    case: judged.Case
    quantized_keras: Any
    program: akida.Model

    def judge(self):
        """As a conversion is judged, by what the program holds and says."""
        batch = self.case.images
        faults = weight_faults(self.case.weights, program_weights(self.program), self.case.plan)
        logits = self.program.predict(batch).reshape(len(batch), -1).astype(np.float32)
        codes = layer_outputs(self.program, batch)
        described = [describe_layer(layer) for layer in self.program.layers]
        self.case.describe = lambda: described
        self.case.judge(codes=codes, logits=logits, weight_faults=faults)


@pytest.fixture(params=[("qana", 1, 4), ("qana", 2, 8)], ids=["v1", "v2"])
def converted_program(request, converted):
    known = converted(*request.param)
    program = akida.Model(str(known.program_path))
    return Doctored(judged.case_of(known.network, images=4), known.quantized_keras, program)


def place(doctored, index):
    entry = doctored.case.plan[index]
    return re.escape(f"{entry.name} ({entry.module}")


def test_program_as_it_was_converted_is_accepted(converted_program):
    converted_program.judge()
    require_whole_program(converted_program.quantized_keras, converted_program.program)
    require_coverage(converted_program.program, converted_program.case.plan)


def test_program_with_a_changed_weight_is_refused(converted_program):
    layer = converted_program.program.get_layer(converted_program.case.plan[2].name)
    layer.variables["weights"] = -layer.variables["weights"]
    with pytest.raises(QanaError, match="are others in the program") as refusal:
        converted_program.judge()
    assert re.search(f"{place(converted_program, 2)}.*weights are others", refusal.value.what)
    assert re.search(f"first layer that diverges: {place(converted_program, 2)}", refusal.value.what)


def test_program_with_a_changed_bias_is_refused_by_its_codes(converted_program):
    layer = converted_program.program.get_layer(converted_program.case.plan[3].name)
    name = "threshold" if "threshold" in layer.variables.names else "bias"
    layer.variables[name] = layer.variables[name] // 2 + 9
    with pytest.raises(QanaError, match=f"first layer that diverges: {place(converted_program, 3)}"):
        converted_program.judge()


def test_program_with_swapped_layers_is_refused(converted):
    """Two layers of one shape that hold each other's variables."""
    known = converted("qana", 2, 8)
    doctored = Doctored(judged.case_of(known.network, images=4), None, akida.Model(str(known.program_path)))
    first, second = "layer_1_cheap", "layer_2_cheap"
    one, other = (doctored.program.get_layer(name) for name in (first, second))
    for name in one.variables.names:
        held = one.variables[name].copy(), other.variables[name].copy()
        other.variables[name], one.variables[name] = held
    with pytest.raises(QanaError, match=rf"{first} \(.*{second} \(.*others in the program"):
        doctored.judge()


def test_truncated_program_is_refused(converted_program):
    plan, program = converted_program.case.plan, converted_program.program
    while program.layers[-1].name != plan[-2].name:
        program.pop_layer()
    with pytest.raises(QanaError, match=f"{plan[-1].name}: left out.*output .* instead of 3"):
        require_whole_program(converted_program.quantized_keras, program)
    with pytest.raises(QanaError, match=re.escape(f"trained layers: {plan[-1].module} ({plan[-1].name})")):
        require_coverage(program, plan)


def test_layers_one_by_one_say_what_the_cut_program_says(converted_program):
    batch, program = converted_program.case.images, converted_program.program
    found = layer_outputs(program, batch)
    while len(program.layers) > 1:
        name = program.layers[-1].name
        if name in found:
            np.testing.assert_array_equal(program.forward(batch), found[name], err_msg=name)
        program.pop_layer()


def test_pooled_sums_are_those_of_the_variables_of_the_program(converted):
    """Counted from the codes and the integers that the program itself holds."""
    known = converted("qana", 2, 8)
    case = judged.case_of(known.network, images=4)
    program = akida.Model(str(known.program_path))
    name = case.plan[-2].name
    layer = program.get_layer(name)
    read = layer_outputs(program, case.images)[layer.inbounds[0].name].astype(np.int64)
    held = {key: layer.variables[key].astype(np.int64) for key in layer.variables.names}
    potentials = read @ held["weights"][0, 0] + (held["bias"] << held["bias_shift"])
    clipped = np.clip(potentials, 0, held["max_value"] << held["max_value_shift"])
    pooled = (clipped.sum((1, 2)) * held["output_scales"]).max()
    assert layer.parameters.pool_type == int(akida.PoolType.Average)
    assert case.trained.loads[name] == {POTENTIAL_V2: np.abs(potentials).max(), POOLED_V2: pooled}
