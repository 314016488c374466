"""Every way in which a program can be wrong is refused, by the name of the layer and of its torch module."""

import re
from dataclasses import replace

import judged
import numpy as np
import pytest

from qana.conversion.acceptance.headroom import POOLED_V2, SCALED_V2
from qana.conversion.acceptance.verdict import float_faults
from qana.errors import QanaError


@pytest.fixture(scope="module")
def case():
    return judged.case("akidanet", 2, 8)


def other_classes(logits, count):
    """The same logits, but `count` images name another class."""
    logits = logits.copy()
    for row in logits[:count]:
        row[row.argmin()] = row.max() + 1
    return logits


def with_layer(case, index, **changes):
    layers = list(case.reports())
    layers[index] = replace(layers[index], **changes)
    return layers


def test_program_that_says_the_same_is_accepted(case):
    case.judge()


def test_difference_within_the_threshold_is_accepted_and_beyond_it_refused(case):
    codes = case.changed(2, (0, 0, 0, 0), 1)
    case.judge(codes=codes, thresholds=replace(judged.EXACT, max_error_lsb=1))
    place = re.escape(f"first layer that diverges: {case.plan[2].name} ({case.plan[2].module}) differs by up")
    with pytest.raises(QanaError, match=place) as refusal:
        case.judge(codes=codes)
    assert refusal.value.where == "conversion.max_error_lsb = 0"
    assert "at most 0 last bits" in refusal.value.allowed
    assert refusal.value.fix


def test_only_the_first_layer_that_differs_is_named(case):
    codes = case.changed(2, (0, 0, 0, 0), 1)
    codes[case.plan[4].name] = codes[case.plan[4].name] + 1
    with pytest.raises(QanaError, match="first layer that diverges") as refusal:
        case.judge(codes=codes)
    assert case.plan[4].module not in refusal.value.what


def test_share_just_high_enough_passes_and_one_image_less_is_refused(case):
    loose = replace(judged.EXACT, min_agreement=4 / 6)
    layers = with_layer(case, 2, max_error_lsb=0.5)
    tolerant = replace(loose, max_error_lsb=0.5)
    case.judge(logits=other_classes(case.trained.logits, 2), layers=layers, thresholds=tolerant)
    with pytest.raises(QanaError, match=r"names the class of the network on 50\.00% of the test images") as r:
        case.judge(logits=other_classes(case.trained.logits, 3), layers=layers, thresholds=tolerant)
    assert r.value.where == "conversion.min_agreement = 0.666667"


def test_logits_off_behind_exact_layers_name_the_last_layer(case):
    head = case.plan[-1]
    logits = case.trained.logits + (0.6 * case.trained.logit_step).astype(np.float32)
    with pytest.raises(QanaError, match=re.escape(f"{head.name} ({head.module}), logits off by up to 0.6")):
        case.judge(logits=logits)
    case.judge(logits=case.trained.logits + (0.1 * case.trained.logit_step).astype(np.float32))


def test_answer_of_another_shape_is_refused(case):
    with pytest.raises(QanaError, match=r"it answers \(6, 2\) instead of \(6, 3\)"):
        case.judge(logits=case.trained.logits[:, :2])


def test_layer_that_gives_nothing_to_compare_is_refused(case):
    codes = dict(case.trained.codes)
    del codes[case.plan[3].name]
    place = re.escape(f"{case.plan[3].name} ({case.plan[3].module}) gives no integers to compare")
    with pytest.raises(QanaError, match=place):
        case.judge(codes=codes)


def test_layer_of_another_shape_is_refused(case):
    codes = dict(case.trained.codes)
    codes[case.plan[1].name] = codes[case.plan[1].name][:, :, :-1]
    place = re.escape(f"first layer that diverges: {case.plan[1].name} ({case.plan[1].module})")
    with pytest.raises(QanaError, match=f"{place} outputs .* another shape than in torch"):
        case.judge(codes=codes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dead_share": 0.95}, "95.0% of its channels are zero on every compared image"),
        ({"saturated_share": 0.51}, "51.0% of its outputs sit at the top of their range"),
    ],
)
def test_layer_without_life_is_refused_by_its_names(case, change, words):
    entry = case.plan[3]
    (share,) = change
    with pytest.raises(QanaError, match=re.escape(f"{entry.name} ({entry.module}): {words}")) as refusal:
        case.judge(layers=with_layer(case, 3, **change))
    assert refusal.value.where.startswith(f"conversion.max_{share} = ")


@pytest.mark.parametrize(("largest", "fits"), [(2**31 - 1, True), (2**31, False)])
def test_sum_that_reaches_the_end_of_its_register_is_refused(case, largest, fits):
    entry = case.plan[-2]
    loads = {**case.trained.loads, entry.name: {POOLED_V2: float(largest)}}
    overflowing = replace(case, trained=replace(case.trained, loads=loads))
    if fits:
        overflowing.judge()
        return
    words = f"{entry.name} ({entry.module}): the pooled sum of accumulator x output scale reaches 2^31.00"
    with pytest.raises(QanaError, match=re.escape(words)) as refusal:
        overflowing.judge()
    assert "w4a4" in refusal.value.fix


def test_every_fault_is_told_at_once(case):
    loads = {**case.trained.loads, case.plan[0].name: {SCALED_V2: 2.0**33}}
    wrong = replace(case, trained=replace(case.trained, loads=loads))
    layers = with_layer(case, 2, dead_share=1.0, max_error_lsb=4.0)
    with pytest.raises(QanaError, match="differs by up to 4") as refusal:
        wrong.judge(layers=layers, logits=other_classes(case.trained.logits, 6))
    for words in ("on 0.00% of the test images", "reaches 2^33.00", "100.0% of its channels"):
        assert words in refusal.value.what
    assert "conversion.max_dead_share = 0.9" in refusal.value.where


def test_float_stages_differ_by_rounding_and_no_more():
    logits = np.array([[4.0, -2.0], [1.0, 0.5]], np.float32)
    assert float_faults(logits, logits + 3e-4, stages=("onnx", "keras")) == []
    (fault,) = float_faults(logits, logits + 8e-4, stages=("onnx", "keras"))
    assert fault.what.startswith("keras and onnx differ by 0.0008")
    (fault,) = float_faults(logits, logits * np.nan, stages=("onnx", "keras"))
    assert "nan" in fault.what
