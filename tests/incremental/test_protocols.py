"""Sequences of sessions: grouped by lesion, complete, repeatable, and refused where they cannot be made."""

import itertools

import numpy as np
import pytest
from given_splits import CLASSES, given_splits

from qana.errors import QanaError
from qana.incremental.protocol import ClassIncremental, DomainIncremental, FewShot
from qana.incremental.protocol.sequence import balanced_order

PROTOCOLS = {
    "class": ClassIncremental(base_classes=3),
    "few_shot": FewShot(base_classes=3, lesions=2),
    "age": DomainIncremental(attribute="age_years", edges=[40, 60], min_lesions=1),
    "site": DomainIncremental(attribute="localization", edges=[], min_lesions=1),
}


@pytest.fixture(scope="module")
def splits():
    return given_splits()


@pytest.mark.parametrize("name", PROTOCOLS)
def test_no_lesion_is_in_two_sessions(name, splits):
    sessions = PROTOCOLS[name].sequence(splits, seed=1).sessions
    lesions = [{splits.train.lesion_ids[row] for row in session.rows} for session in sessions]
    assert len(sessions) > 1
    assert sum(len(each) for each in lesions) == len(set.union(*lesions))


@pytest.mark.parametrize("name", ["class", "age", "site"])
def test_every_training_image_is_shown_once(name, splits):
    sessions = PROTOCOLS[name].sequence(splits, seed=1).sessions
    rows = np.concatenate([session.rows for session in sessions])
    assert np.array_equal(np.sort(rows), np.arange(len(splits.train)))


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_base_session_does_not_depend_on_the_seed_but_the_order_does(name, splits):
    found = [PROTOCOLS[name].sequence(splits, seed=seed).sessions for seed in range(6)]
    bases = {tuple(sorted(sessions[0].rows.tolist())) for sessions in found}
    assert len(bases) == 1
    assert np.array_equal(sorted(bases.pop()), PROTOCOLS[name].base_rows(splits.train, splits.train))
    assert len({tuple(sessions[1].rows.tolist()) for sessions in found}) > 1
    again = PROTOCOLS[name].sequence(splits, seed=0).sessions
    assert all(np.array_equal(a.rows, b.rows) for a, b in zip(found[0], again, strict=True))


@pytest.mark.parametrize("first", [0, 6])
def test_every_class_comes_at_every_place_within_as_many_seeds(first):
    orders = np.array([balanced_order(3, seed=first + place) for place in range(3)])
    assert np.array_equal(np.sort(orders, axis=0), [[0] * 3, [1] * 3, [2] * 3])
    assert np.array_equal(np.sort(orders, axis=1), [[0, 1, 2]] * 3)
    assert len({tuple(balanced_order(3, seed=seed)) for seed in range(60)}) == 6
    assert balanced_order(1, seed=5) == [0]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_photographs_of_a_lesion_arrive_together(name, splits):
    for session in PROTOCOLS[name].sequence(splits, seed=2).sessions:
        named = [splits.train.lesion_ids[row] for row in session.rows]
        changes = sum(a != b for a, b in itertools.pairwise(named))
        assert changes == len(set(named)) - 1


def test_frequent_classes_come_first_and_the_others_one_at_a_time(splits):
    sequence = PROTOCOLS["class"].sequence(splits, seed=0)
    base, *later = sequence.sessions
    assert {CLASSES[label] for label in base.new_classes} == {"bcc", "bkl", "akiec"}
    assert {session.name for session in later} == {"mel", "df"}
    assert all(len(session.new_classes) == 1 for session in later)
    for place, session in enumerate(later, start=1):
        shown = splits.test.target[sequence.test_session == place]
        assert set(shown) == set(session.new_classes)


def test_few_shots_show_that_many_lesions_with_all_their_photographs(splits):
    for session in PROTOCOLS["few_shot"].sequence(splits, seed=0).sessions[1:]:
        lesions = {splits.train.lesion_ids[row] for row in session.rows}
        assert len(lesions) == 2
        assert len(session.rows) == 4


def test_age_bands_hold_their_ages(splits):
    sequence = PROTOCOLS["age"].sequence(splits, seed=0)
    ranges = {"<40": (0, 40), "40-60": (40, 60), ">=60": (60, 200)}
    assert {session.name for session in sequence.sessions} == set(ranges)
    for session in sequence.sessions:
        low, high = ranges[session.name]
        ages = splits.train.attributes["age_years"][session.rows]
        assert ((ages >= low) & (ages < high)).all()


def test_small_domains_are_put_together(splits):
    lesions = len(set(splits.train.lesion_ids))
    protocol = DomainIncremental(attribute="age_years", edges=[25, 60], min_lesions=lesions // 3)
    names = {session.name for session in protocol.sequence(splits, seed=0).sessions}
    assert "other" in names
    assert "<25" not in names


@pytest.mark.parametrize(
    ("protocol", "named"),
    [
        (ClassIncremental(base_classes=5), "base_classes = 5"),
        (FewShot(base_classes=3, lesions=100), "lesions = 100"),
        (DomainIncremental(attribute="hair", edges=[], min_lesions=1), "attribute = hair"),
        (DomainIncremental(attribute="age_years", edges=[], min_lesions=1), "attribute = age_years"),
    ],
    ids=["no class left", "too few lesions", "unknown attribute", "one domain"],
)
def test_what_the_data_do_not_give_is_refused_with_what_they_do(protocol, named, splits):
    with pytest.raises(QanaError) as caught:
        protocol.sequence(splits, seed=0)
    assert named in caught.value.where


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: ClassIncremental(base_classes=1), "base_classes = 1"),
        (lambda: FewShot(base_classes=3, lesions=0), "lesions = 0"),
        (lambda: DomainIncremental(attribute="age_years", edges=[60, 40], min_lesions=1), "edges = [60, 40]"),
    ],
    ids=["class", "few_shot", "domain"],
)
def test_impossible_protocols_are_refused_by_name(make, named):
    with pytest.raises(QanaError) as caught:
        make()
    assert named in caught.value.where
