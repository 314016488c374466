"""Weights that no program can hold are refused by module; those that are held are compared one by one."""

import judged
import numpy as np
import pytest
import torch
from torch import nn

from qana.conversion.acceptance.torch_weights import (
    require_sound_weights,
    trained_weights,
    weight_faults,
)
from qana.errors import QanaError


@pytest.fixture(params=[("qana", 1, 4), ("akidanet", 2, 8)], ids=["v1", "v2"])
def case(request):
    return judged.case(*request.param, images=1)


def held(case):
    """What a program holds that was converted as it should be."""
    return {f"{each.layer}.{each.variable}": each.codes.copy() for each in case.weights}


@pytest.mark.parametrize(("value", "words"), [(float("nan"), "are NaN"), (float("inf"), "are infinite")])
def test_weight_that_is_no_number_is_refused_by_its_module(case, value, words):
    with torch.no_grad():
        case.network.units()[2].unit.conv.weight[1, 0, 0, 0] = value
    with pytest.raises(
        QanaError, match=f"{case.plan[2].module}.unit.conv: 1 of .* weight {words}"
    ) as refusal:
        require_sound_weights(case.network)
    assert "training" in refusal.value.where


def test_every_layer_of_zeros_is_refused_by_its_module(case):
    with torch.no_grad():
        for index in (1, -1):
            case.network.units()[index].unit.conv.weight.zero_()
    with pytest.raises(QanaError, match="weights are zero") as refusal:
        require_sound_weights(case.network)
    for entry in (case.plan[1], case.plan[-1]):
        assert f"{entry.module}.unit.conv: all" in refusal.value.what


def test_sound_weights_pass(case):
    require_sound_weights(case.network)


def test_every_weight_of_the_network_is_accounted_for(case):
    convolutions = [path for path, module in case.network.named_modules() if isinstance(module, nn.Conv2d)]
    assert sorted(each.module for each in case.weights) == sorted(convolutions)


def test_weights_beside_the_units_are_refused(case):
    case.network.blocks[1].extra = nn.Linear(3, 2)
    with pytest.raises(QanaError, match=r"1 module\(s\) have weights that no layer.*: blocks\.1\.extra"):
        trained_weights(case.network, case.plan)


def test_program_with_the_trained_weights_has_no_faults(case):
    assert weight_faults(case.weights, held(case), case.plan) == []


def test_one_changed_weight_is_found(case):
    program, changed = held(case), case.weights[-2]
    codes = program[f"{changed.layer}.{changed.variable}"]
    codes.flat[5] += 1
    (fault,) = weight_faults(case.weights, program, case.plan)
    assert fault.what == (
        f"{changed.layer} ({changed.module}): 1 of {codes.size} weights are others in the program"
    )


def test_layer_that_is_left_out_or_cut_is_found(case):
    program = held(case)
    first, second = case.weights[0], case.weights[1]
    del program[f"{first.layer}.{first.variable}"]
    program[f"{second.layer}.{second.variable}"] = np.zeros((1, 1, 2, 2), np.int8)
    left, cut = weight_faults(case.weights, program, case.plan)
    assert left.what == f"{first.layer} ({first.module}): its weights are not in the program"
    assert "weights (1, 1, 2, 2) in the program instead of" in cut.what
