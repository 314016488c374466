"""A program of a foreign network that is another network, or has no life, is refused by name."""

import dataclasses

import numpy as np
import pytest
import tf_keras as keras

from qana.conversion.acceptance.verdict import Thresholds
from qana.conversion.foreign_acceptance import (
    ForeignAnswers,
    agreement,
    correlation,
    foreign_layers,
    judge_foreign,
)
from qana.conversion.post_training import needs_per_tensor, quantize_after_training
from qana.errors import QanaError

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (6, 8, 8, 3)).astype(np.uint8)
LOGITS = RANDOM.normal(size=(40, 3)).astype(np.float32)
CODES = RANDOM.integers(0, 15, (6, 4, 4, 5)).astype(np.uint8)
THRESHOLDS = Thresholds(min_agreement=1.0, max_error_lsb=0.0, max_dead_share=0.5, max_saturated_share=0.5)
MODULES = {"first": "stem.0", "second": "body.3"}


def described(name, kind="Conv2D", reads=()):
    shape = {"output_shape": [4, 4, 5], "macs": 7, "weight_bytes": 9}
    return {"name": name, "kind": kind, "reads": list(reads), **shape}


def answers(**changes):
    held = {
        "logits": {stage: LOGITS for stage in ("onnx", "keras", "quantized_keras", "akida")},
        "descriptions": [
            described("first"),
            described("second", reads=["first"]),
            described("end", "Dequantizer", reads=["second"]),
        ],
        "codes": {"first": CODES, "second": CODES},
        "keras_codes": {"first": CODES, "second": CODES},
        "largest_codes": {"first": 15, "second": 15},
        "weights": ("first.weights", "second.weights"),
    }
    return ForeignAnswers(**{**held, **changes})


def judge(found, generation):
    judge_foreign(found, foreign_layers(found, IMAGES, {}), MODULES, THRESHOLDS, generation)


@pytest.mark.parametrize("generation", [1, 2])
def test_program_that_is_the_quantized_network_is_accepted(generation):
    judge(answers(), generation)


def test_layers_hold_what_was_seen():
    codes = CODES.copy()
    codes[..., :2] = 0
    first, second, end = foreign_layers(
        answers(codes={"first": codes, "second": CODES}), IMAGES, {"first": 4}
    )
    assert (first.nps, second.nps) == (4, 0)
    assert first.dead_share == 2 / 5
    assert first.max_error_lsb == CODES[..., :2].max()
    assert second.max_error_lsb == 0.0
    assert second.input_sparsity == first.output_sparsity == (codes == 0).mean()
    assert (end.max_error_lsb, end.dead_share, end.saturated_share) == (None, None, None)


def test_first_layer_that_diverges_is_named_on_v2():
    other = CODES.copy()
    other[2, 1, 1, 3] += 1
    with pytest.raises(
        QanaError, match=r"first layer that diverges: second \(body.3\), by up to 1 last"
    ) as refusal:
        judge(answers(codes={"first": CODES, "second": other}), 2)
    assert "max_error_lsb" in refusal.value.where
    assert "at most 0 last bits" in refusal.value.allowed
    assert "report the file" in refusal.value.fix


def with_logits(logits):
    return answers(logits={**answers().logits, "akida": logits})


def test_class_that_changes_is_refused_on_v2_and_told_on_v1():
    logits = LOGITS.copy()
    logits[0, LOGITS[0].argmin()] = LOGITS[0].max() + 0.1
    with pytest.raises(QanaError, match=r"on 97.50% of the test images") as refusal:
        judge(with_logits(logits), 2)
    assert "min_agreement" in refusal.value.where
    judge(with_logits(logits), 1)


@pytest.mark.parametrize("wrong", [-LOGITS, np.ones_like(LOGITS), RANDOM.normal(size=LOGITS.shape)])
def test_program_that_says_something_else_is_refused_on_v1(wrong):
    with pytest.raises(QanaError, match=r"correlate with those of the quantized Keras network by") as refusal:
        judge(with_logits(wrong.astype(np.float32)), 1)
    assert "generation = 1" in refusal.value.where
    assert "at least 0.9" in refusal.value.allowed
    assert "report the file" in refusal.value.fix


@pytest.mark.parametrize(("value", "found"), [(0, "its channels are zero"), (15, "the top of their range")])
@pytest.mark.parametrize("generation", [1, 2])
def test_layer_without_life_or_room_is_refused(value, found, generation):
    still = CODES.copy()
    still[..., :3] = value
    held = {"first": still, "second": CODES}
    with pytest.raises(QanaError, match=rf"sits badly on the chip: first \(stem.0\): .*{found}") as refusal:
        judge(answers(codes=held, keras_codes=held), generation)
    assert "conversion.max_" in refusal.value.where
    assert "input scaling" in refusal.value.fix


def test_agreement_and_correlation_are_those_of_hand_and_numpy():
    first = np.array([[1.0, 2.0], [5.0, 1.0], [0.0, 3.0]], dtype=np.float32)
    second = np.array([[0.0, 1.0], [2.0, 3.0], [1.0, 9.0]], dtype=np.float32)
    assert agreement(first, second) == pytest.approx(2 / 3)
    centred = [(values - values.mean(0)).ravel() for values in (first, second)]
    assert correlation(first, second) == pytest.approx(np.corrcoef(*centred)[0, 1])


def test_ranges_are_per_tensor_wherever_the_vendors_default_goes_wrong():
    assert needs_per_tensor([], generation=1)
    assert not needs_per_tensor([], generation=2)
    flattened = dataclasses.make_dataclass("Flattened", ["after"])
    value = dataclasses.make_dataclass("Value", ["flattened"])
    assert needs_per_tensor([flattened(value((4, 5, 6)))], generation=2)


def test_padding_that_the_vendors_tool_swaps_without_a_word_is_refused():
    pixels = keras.Input((16, 20, 3), dtype="uint8")
    x = keras.layers.Rescaling(1.0)(pixels)
    x = keras.layers.ZeroPadding2D(1)(x)
    x = keras.layers.Conv2D(4, 3, strides=2, padding="valid", name="stem")(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU(6.0)(x))
    model = keras.Model(pixels, keras.layers.Dense(3)(x))
    samples = RANDOM.integers(0, 256, (4, 16, 20, 3)).astype(np.uint8)
    bits = {"weight_bits": 8, "activation_bits": 8, "batch_size": 4}
    with pytest.raises(
        QanaError, match="zero_padding2d: it is gone, stem: padding valid became same"
    ) as refusal:
        quantize_after_training(model, [], samples, generation=2, **bits)
    assert "paddings" in refusal.value.allowed
