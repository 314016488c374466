from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score

from qana.comparison.paired import Pair, holm, mcnemar_exact, paired, paired_test
from qana.evaluation.metrics import paired_difference_ci
from qana.evaluation.predictions import Predictions


def random_pair(seed, images=300, lift=0.25, lesions=None):
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 4, images)
    second = np.where(rng.random(images) < 0.5, target, rng.integers(0, 4, images))
    first = np.where(rng.random(images) < lift, target, second)
    ids = tuple(f"L{i}" for i in (np.arange(images) // 2 if lesions is None else lesions))
    return Pair(("a", "b"), target, first, second, ids, 4, f"data{seed}")


def one_hot(preds):
    return np.eye(4, dtype=np.float32)[preds]


def said(pair, preds, order=None):
    order = np.arange(len(pair.target)) if order is None else order
    ids = np.array([f"I{i}" for i in range(len(pair.target))])
    return Predictions(
        ("a", "b", "c", "d"), tuple(ids[order]), tuple(np.array(pair.lesion_ids)[order]), pair.target[order],
        {"akida": one_hot(preds)[order]}, {},
    )  # fmt: skip


@pytest.mark.parametrize(("b", "c", "p"), [(1, 8, 0.0390625), (5, 5, 1.0), (0, 0, 1.0), (0, 10, 2 / 2**10)])
def test_mcnemar_is_the_exact_binomial_test(b, c, p):
    assert mcnemar_exact(b, c) == pytest.approx(p)


def test_holm_adjusts_as_calculated_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_discordant_images_are_counted():
    pair = random_pair(0)
    test = paired_test([pair], samples=200, seed=0)
    expected = sum(
        (f == t) and (s != t) for f, s, t in zip(pair.first, pair.second, pair.target, strict=True)
    )
    assert test.mcnemar[0].only_first == expected
    assert test.mcnemar[0].p_adjusted == test.mcnemar[0].p_value


def test_difference_is_that_of_scikit_learn_and_its_interval_that_of_two_stages():
    pair = random_pair(1)
    test = paired_test([pair], samples=500, seed=3)
    expected = f1_score(pair.target, pair.first, average="macro") - f1_score(
        pair.target, pair.second, average="macro"
    )
    reference = paired_difference_ci(
        one_hot(pair.first), one_hot(pair.second), pair.target,
        [f"{int(name[1:]):04d}" for name in pair.lesion_ids], bootstrap_samples=500, seed=3,
    )  # fmt: skip
    assert test.macro_f1[0] == pytest.approx(expected)
    assert test.ci95 == pytest.approx(reference.ci95, abs=0.01)  # lesions are numbered in another order


def test_equal_answers_differ_by_nothing():
    pair = random_pair(2)
    test = paired_test([replace(pair, second=pair.first)], samples=200, seed=0)
    assert (test.macro_f1[0], test.ci95, test.mcnemar[0].p_value) == (0.0, (0.0, 0.0), 1.0)


def test_several_pairs_narrow_the_interval_over_lesions_of_other_data():
    one = paired_test([random_pair(1)], samples=500, seed=0)
    four = paired_test([random_pair(seed) for seed in range(1, 5)], samples=500, seed=0)
    assert four.ci95[1] - four.ci95[0] < 0.7 * (one.ci95[1] - one.ci95[0])
    assert four.over_seeds.count == 4


def test_pairs_on_the_same_lesions_do_not_count_them_twice():
    pair = random_pair(1)
    one, twice = (paired_test(pairs, samples=500, seed=0) for pairs in ([pair], [pair, pair]))
    assert twice.ci95 == pytest.approx(one.ci95)


def test_photographs_of_one_lesion_widen_the_interval():
    pair = random_pair(1, lesions=np.arange(300) // 20)
    alone = replace(pair, lesion_ids=tuple(f"L{i}" for i in range(300)))
    target = np.repeat(np.arange(15) % 4, 20)
    clustered = replace(
        pair, target=target, first=target, second=np.where((np.arange(300) // 20) % 3, target, 0)
    )
    clustered_alone = replace(clustered, lesion_ids=alone.lesion_ids)
    wide, narrow = (paired_test([each], samples=500, seed=0).ci95 for each in (clustered, clustered_alone))
    assert wide[1] - wide[0] > 1.5 * (narrow[1] - narrow[0])


def test_second_run_is_brought_into_the_order_of_the_first():
    pair = random_pair(5)
    order = np.random.default_rng(0).permutation(len(pair.target))
    found = paired(
        said(pair, pair.first), said(pair, pair.second, order), stage="akida", names=("a", "b"), data="d"
    )
    np.testing.assert_array_equal(found.second, pair.second)


def test_runs_on_other_images_are_no_pair():
    first, second = random_pair(5), random_pair(6, images=299)
    arguments = {"stage": "akida", "names": ("a", "b"), "data": "d"}
    assert paired(said(first, first.first), said(second, second.second), **arguments) is None
    assert (
        paired(said(first, first.first), said(first, first.first), **{**arguments, "stage": "onnx"}) is None
    )
