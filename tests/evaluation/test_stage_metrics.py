import numpy as np
import pytest
from sklearn import metrics as reference

from qana.errors import QanaError
from qana.evaluation.metrics import agreement, paired_difference_ci, require_finite, stage_metrics

BOOTSTRAP = {"bootstrap_samples": 200, "seed": 3}


def case(images=300, classes=5, seed=0, lesions=120):
    rng = np.random.default_rng(seed)
    target = rng.integers(0, classes, images)
    logits = rng.normal(size=(images, classes)).astype(np.float32)
    logits[np.arange(images), target] += 1.2
    ids = tuple(f"L{i}" for i in rng.integers(0, lesions, images))
    return logits, target.astype(np.int64), ids, tuple(f"class{i}" for i in range(classes))


def softmax(logits):
    e = np.exp(logits.astype(np.float64))
    return e / e.sum(1, keepdims=True)


def test_scores_equal_those_of_scikit_learn():
    logits, target, ids, names = case()
    preds = logits.argmax(1)

    found = stage_metrics(logits, target, ids, names, **BOOTSTRAP)

    assert found.accuracy == pytest.approx(reference.accuracy_score(target, preds))
    assert found.macro_f1 == pytest.approx(reference.f1_score(target, preds, average="macro"))
    assert found.balanced_accuracy == pytest.approx(reference.balanced_accuracy_score(target, preds))
    p, r, f1, n = reference.precision_recall_fscore_support(target, preds, zero_division=0)
    for i, name in enumerate(names):
        scores = found.per_class[name]
        assert (scores.precision, scores.recall, scores.f1) == pytest.approx((p[i], r[i], f1[i]))
        assert scores.support == n[i]


def test_macro_auroc_equals_the_multiclass_score_of_scikit_learn():
    logits, target, ids, names = case()
    expected = reference.roc_auc_score(target, softmax(logits), multi_class="ovr", average="macro")

    assert stage_metrics(logits, target, ids, names, **BOOTSTRAP).macro_auroc == pytest.approx(expected)


def test_calibration_error_of_three_images_by_hand():
    # Confidences 0.9, 0.9 and 0.6, the first wrong: bins hold (0.9, 0.9) with accuracy 1/2 and (0.6) with 1.
    probs = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4]])
    target = np.array([1, 0, 0])

    found = stage_metrics(np.log(probs).astype(np.float32), target, ("a", "b", "c"), ("x", "y"), **BOOTSTRAP)

    assert found.ece == pytest.approx((2 / 3) * abs(0.5 - 0.9) + (1 / 3) * abs(1.0 - 0.6), abs=1e-6)


def test_a_class_absent_from_the_target_has_no_scores_and_leaves_the_means():
    # Truth x, x, y; said x, z, y: F1 of x is 2/3, of y 1; z is predicted once and never true.
    logits = np.eye(3, dtype=np.float32)[[0, 2, 1]] * 5
    target = np.array([0, 0, 1])

    found = stage_metrics(logits, target, ("a", "b", "c"), ("x", "y", "z"), **BOOTSTRAP)

    assert found.macro_f1 == pytest.approx((2 / 3 + 1) / 2)
    assert found.balanced_accuracy == pytest.approx((1 / 2 + 1) / 2)
    absent = found.per_class["z"]
    assert (absent.precision, absent.recall, absent.f1, absent.support) == (None, None, None, 0)


def test_auroc_of_a_single_class_is_undefined_not_guessed():
    logits = np.eye(2, dtype=np.float32)[[0, 0, 1]]

    found = stage_metrics(logits, np.zeros(3, np.int64), ("a", "b", "c"), ("x", "y"), **BOOTSTRAP)

    assert found.macro_auroc is None


def test_intervals_match_a_plain_loop_over_resampled_lesions():
    logits, target, ids, names = case()
    rng = np.random.default_rng(11)
    groups = [np.flatnonzero(np.asarray(ids) == lesion) for lesion in sorted(set(ids))]
    draws = []
    for _ in range(1500):
        rows = np.concatenate([groups[i] for i in rng.integers(0, len(groups), len(groups))])
        draws.append(reference.f1_score(target[rows], logits[rows].argmax(1), average="macro"))
    expected = np.percentile(draws, [2.5, 97.5])

    found = stage_metrics(logits, target, ids, names, bootstrap_samples=1500, seed=3)

    # Bootstrap noise of a percentile at 1500 draws is about 0.003 here; twice that on both sides.
    assert found.ci95["macro_f1"] == pytest.approx(expected, abs=0.008)


def test_photographs_of_one_lesion_widen_the_interval():
    logits, target, _, names = case(images=100)
    copied = np.repeat(logits, 4, axis=0), np.repeat(target, 4)
    one_lesion = tuple(f"L{i // 4}" for i in range(400))
    each_alone = tuple(f"L{i}" for i in range(400))

    def width(ids):
        low, high = stage_metrics(*copied, ids, names, bootstrap_samples=1000, seed=3).ci95["accuracy"]
        return high - low

    # Four copies carry the information of one: ignoring that halves the interval.
    assert width(one_lesion) / width(each_alone) == pytest.approx(2.0, rel=0.2)


def test_equal_seeds_give_equal_intervals_and_other_seeds_do_not():
    first, again = (stage_metrics(*case(), bootstrap_samples=200, seed=5) for _ in range(2))
    other = stage_metrics(*case(), bootstrap_samples=200, seed=6)

    assert first == again
    assert first.ci95 != other.ci95


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite_are_refused_with_the_stage_and_the_rows(value):
    logits, *_ = case()
    logits[[3, 17], 1] = value

    with pytest.raises(QanaError, match=r"2 of 300 images .* at stage akida \(rows 3, 17\)") as caught:
        require_finite(logits, "akida")
    assert all((caught.value.where, caught.value.allowed, caught.value.fix))


def test_metrics_of_broken_logits_are_refused_not_computed():
    logits, target, ids, names = case()
    logits[0, 0] = np.nan
    with pytest.raises(QanaError, match="not finite"):
        stage_metrics(logits, target, ids, names, **BOOTSTRAP)


def test_arguments_about_different_images_are_refused():
    logits, target, ids, names = case()
    with pytest.raises(ValueError, match="do not describe the same images"):
        stage_metrics(logits, target[:-1], ids, names, **BOOTSTRAP)


def test_a_stage_compared_with_itself_loses_exactly_nothing():
    logits, target, ids, _ = case()

    found = paired_difference_ci(logits, logits, target, ids, **BOOTSTRAP)

    assert found.value == 0
    assert found.ci95 == (0, 0)


def test_the_paired_drop_is_the_difference_of_the_macro_f1_scores_and_has_a_tight_interval():
    before, target, ids, names = case(images=600, lesions=300)
    after = before.copy()
    after[:30] = np.roll(after[:30], 1, axis=1)

    found = paired_difference_ci(before, after, target, ids, bootstrap_samples=500, seed=3)

    scores = [reference.f1_score(target, logits.argmax(1), average="macro") for logits in (before, after)]
    assert found.value == pytest.approx(scores[0] - scores[1])
    low, high = found.ci95
    alone = [stage_metrics(x, target, ids, names, bootstrap_samples=500, seed=3) for x in (before, after)]
    unpaired = max(x.ci95["macro_f1"][1] - x.ci95["macro_f1"][0] for x in alone)
    assert low <= found.value <= high
    assert high - low < unpaired


def test_agreement_counts_equal_classes():
    first = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    second = np.eye(3, dtype=np.float32)[[0, 1, 1, 0]] * 9

    assert agreement(first, second) == 0.75


def test_agreement_of_different_images_is_refused():
    with pytest.raises(ValueError, match="image by image"):
        agreement(np.zeros((3, 2), np.float32), np.zeros((4, 2), np.float32))
