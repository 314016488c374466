"""A course of sessions: the guard, and what is restricted to the base session."""

import numpy as np
import pytest
from given_splits import bits_of, given_splits

from qana.conversion import NoTarget
from qana.errors import QanaError
from qana.incremental import AkidaEdge, Incremental, NearestMean
from qana.incremental.protocol import ClassIncremental, DomainIncremental
from qana.quantization import EdgeQuantization, Quantization

W4A4 = dict(
    weight_bits=4,
    weight_rule="max",
    activation_bits=4,
    input_weight_bits=8,
    generation=1,
    calibration="mse",
    percentile=99.9,
    ranges="calibrated",
    calibration_images=8,
)


class Forgetful(NearestMean):
    """Keeps only the classes of its last session, so that every update does harm."""

    def _learn(self, features, slots):
        self._sums[:], self._counts[:] = 0, 0
        super()._learn(features, slots)


@pytest.fixture(scope="module")
def data():
    splits = given_splits()
    return splits, bits_of(splits)


def incremental(learner, max_drop=None, seeds=(0,), **changes):
    settings = dict(
        learner=learner,
        protocol=ClassIncremental(base_classes=3),
        seeds=list(seeds),
        max_drop=max_drop,
        train_on_base=True,
    )
    return Incremental(**{**settings, **changes})


def test_an_update_that_does_harm_is_refused_and_rolled_back(data):
    (course,) = incremental(Forgetful(), max_drop=0.05).study(*data, base_only=True).courses
    base, *later = course.updates
    assert [update.accepted for update in course.updates] == [True, False, False]
    for update in later:
        assert update.val_before - update.val_after > 0.05
        assert np.array_equal(update.preds, base.preds)
        assert all(np.array_equal(update.state[key], base.state[key]) for key in base.state)


def test_without_a_margin_the_same_updates_are_taken(data):
    (course,) = incremental(Forgetful()).study(*data, base_only=True).courses
    assert all(update.accepted for update in course.updates)
    assert set(course.updates[-1].preds) == {course.updates[-1].session.new_classes[0]}


def test_classes_of_a_refused_session_can_still_come_later(data):
    protocol = DomainIncremental(attribute="age_years", edges=[40, 60], min_lesions=1)
    found = incremental(Forgetful(), max_drop=0.0, protocol=protocol, seeds=(0, 1)).study(
        *data, base_only=True
    )
    assert all(len(course.updates) == 3 for course in found.courses)


def test_new_classes_are_learned_and_old_ones_kept_by_the_nearest_mean(data):
    splits, _ = data
    (course,) = incremental(NearestMean()).study(*data, base_only=True).courses
    assert (course.updates[-1].preds == splits.test.target).mean() > 0.8
    assert len(course.updates[-1].state["classes"]) == 5


def test_training_sees_the_base_session_alone(data):
    splits, _ = data
    shown = incremental(NearestMean()).training_splits(splits)
    assert {shown.classes[label] for label in shown.train.target} == {"bcc", "bkl", "akiec"}
    assert set(shown.val.target) == set(shown.train.target)
    assert np.array_equal(shown.test.target, splits.test.target)
    row = int(np.flatnonzero(np.isin(splits.train.target, shown.train.target))[5])
    assert shown.train.image_ids[5] == splits.train.image_ids[row]
    assert np.array_equal(shown.train.images[5], splits.train.images[row])
    assert shown.train.images.shape[0] == len(shown.train)
    whole = incremental(NearestMean(), train_on_base=False).training_splits(splits)
    assert whole is splits


class Chip:
    """A target as far as the check looks at it."""

    def __init__(self, generation):
        self.name, self.generation = f"akida{generation}", generation


def edge():
    return AkidaEdge(
        neurons_per_class=1,
        weights_per_active_input=1.2,
        initial_plasticity=1.0,
        min_plasticity=0.1,
        plasticity_decay=0.25,
        learning_competition=0.1,
    )


def test_the_chip_learns_on_the_first_generation_behind_one_bit():
    incremental(edge()).check(Chip(1), EdgeQuantization(**W4A4, last_activation_bits=1))
    incremental(NearestMean()).check(Chip(2), Quantization(**{**W4A4, "generation": 2}))


@pytest.mark.parametrize(
    ("target", "quantization", "named"),
    [
        (
            NoTarget(name="none", generation=1, form="separable"),
            Quantization(**W4A4),
            "no program whose last layer",
        ),
        (Chip(2), Quantization(**{**W4A4, "generation": 2}), "second generation of Akida does not learn"),
        (Chip(1), Quantization(**W4A4), "not of 1 bit"),
        (Chip(1), EdgeQuantization(**W4A4, last_activation_bits=2), "of 2 bits, not of 1 bit"),
    ],
    ids=["no chip", "v2", "4 bits", "2 bits"],
)
def test_what_the_chip_cannot_learn_is_refused_before_training(target, quantization, named):
    with pytest.raises(QanaError, match=named) as caught:
        incremental(edge()).check(target, quantization)
    assert "w4a4_edge" in caught.value.fix


def test_all_reasons_are_told_at_once():
    with pytest.raises(QanaError) as caught:
        incremental(edge()).check(Chip(2), Quantization(**{**W4A4, "generation": 2}))
    assert "second generation" in caught.value.what
    assert "not of 1 bit" in caught.value.what


@pytest.mark.parametrize(
    "changes", [dict(seeds=()), dict(seeds=(1, 1)), dict(seeds=(-1,)), dict(max_drop=-0.1)], ids=str
)
def test_impossible_settings_are_refused(changes):
    with pytest.raises(QanaError, match="cannot be made"):
        incremental(NearestMean(), **changes)
