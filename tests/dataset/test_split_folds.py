import numpy as np
import pytest
from grouped_rows import cases, reordered, rows_of_groups
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from qana.dataset.split import assign_folds


def fold_table(rows, fold_of_row, folds):
    """(folds, classes) rows of each class in each fold."""
    return np.array(
        [np.bincount(rows.target[fold_of_row == fold], minlength=len(rows.classes)) for fold in range(folds)]
    )


@given(cases())
def test_a_group_is_in_one_fold_and_every_class_in_all(case):
    rows = case.rows
    fold_of_row = assign_folds(
        rows.target, rows.groups, folds=case.folds, seed=case.seed, classes=rows.classes
    )
    assert len(set(zip(rows.groups, fold_of_row.tolist(), strict=True))) == len(set(rows.groups))
    assert (fold_table(rows, fold_of_row, case.folds) > 0).all()


@given(cases())
def test_fold_sizes_of_a_class_differ_by_its_largest_group_at_most(case):
    # Three folds or more: of two, the promise of two groups for each comes first.
    rows, folds = case.rows, max(case.folds, 3)
    table = fold_table(
        rows, assign_folds(rows.target, rows.groups, folds=folds, seed=case.seed, classes=rows.classes), folds
    )
    _, index, sizes = np.unique(rows.groups, return_index=True, return_counts=True)
    for label, spread in enumerate(np.ptp(table, axis=0)):
        assert spread <= sizes[rows.target[index] == label].max()


@given(cases(), st.randoms(use_true_random=False))
def test_row_order_does_not_change_the_folds(case, random):
    rows = case.rows
    order = random.sample(range(len(rows.target)), len(rows.target))
    shuffled = reordered(rows, order)
    arguments = {"folds": case.folds, "seed": case.seed, "classes": rows.classes}
    before = assign_folds(rows.target, rows.groups, **arguments)
    after = assign_folds(shuffled.target, shuffled.groups, **arguments)
    assert after.tolist() == before[order].tolist()


@given(cases())
def test_the_order_of_the_classes_does_not_change_the_folds(case):
    rows = case.rows
    last = len(rows.classes) - 1
    before = assign_folds(rows.target, rows.groups, folds=case.folds, seed=case.seed, classes=rows.classes)
    after = assign_folds(
        last - rows.target, rows.groups, folds=case.folds, seed=case.seed, classes=rows.classes[::-1]
    )
    assert after.tolist() == before.tolist()


@settings(max_examples=50)
@given(st.lists(st.integers(5, 60), min_size=1, max_size=12), st.integers(2, 5), st.integers(0, 2**31))
def test_remainders_of_the_classes_do_not_pile_up_in_one_fold(counts, folds, seed):
    # Single images: every class and the whole are divided as evenly as whole numbers allow.
    rows = rows_of_groups({f"class{label:02}": [1] * count for label, count in enumerate(counts)})
    table = fold_table(
        rows, assign_folds(rows.target, rows.groups, folds=folds, seed=seed, classes=rows.classes), folds
    )
    assert np.ptp(table, axis=0).max() <= 1
    assert np.ptp(table.sum(1)) <= 1


def test_no_fold_is_favoured_over_the_seeds():
    # One row too many for even folds: over the seeds it goes to each fold about equally often.
    rows = rows_of_groups({"nv": [1] * 11})
    larger = [
        int(
            np.argmax(
                np.bincount(assign_folds(rows.target, rows.groups, folds=5, seed=seed, classes=("nv",)))
            )
        )
        for seed in range(500)
    ]
    counts = np.bincount(larger, minlength=5)
    assert (abs(counts - 100) < 4 * np.sqrt(500 * 0.2 * 0.8)).all()  # four standard deviations


def test_folds_are_worked_out_by_hand_for_groups_of_unequal_size():
    # 9 | 5 4 | 4 3 1: each group in turn to the emptiest of three folds, so 9, 9 and 8 rows.
    rows = rows_of_groups({"mel": [9, 5, 4, 4, 3, 1]})
    fold_of_row = assign_folds(rows.target, rows.groups, folds=3, seed=7, classes=rows.classes)
    sizes = sorted(np.bincount(fold_of_row).tolist())
    assert sizes == [8, 9, 9]
    assert (np.asarray(rows.groups)[fold_of_row == fold_of_row[0]] == "mel-0").all()


def test_two_folds_both_keep_two_groups_beside_a_huge_one():
    rows = rows_of_groups({"mel": [50, 1, 1, 1]})
    fold_of_row = assign_folds(rows.target, rows.groups, folds=2, seed=0, classes=rows.classes)
    assert sorted(np.bincount(fold_of_row).tolist()) == [2, 51]


def test_another_seed_gives_other_folds():
    rows = rows_of_groups({"mel": [1] * 40})
    first, again, other = (
        assign_folds(rows.target, rows.groups, folds=5, seed=seed, classes=rows.classes).tolist()
        for seed in (0, 0, 1)
    )
    assert first == again != other


@pytest.mark.parametrize("seed", range(5))
def test_classes_are_balanced_at_least_as_well_as_by_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    rows = rows_of_groups(
        {
            name: rng.integers(1, 6, count).tolist()
            for name, count in (("df", 15), ("mel", 40), ("nv", 150), ("vasc", 9))
        }
    )
    ours = fold_table(
        rows, assign_folds(rows.target, rows.groups, folds=5, seed=seed, classes=rows.classes), 5
    )
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed).split(
        rows.target, rows.target, rows.groups
    )
    theirs = np.array([np.bincount(rows.target[test], minlength=4) for _, test in folds])
    assert (np.ptp(ours, axis=0) <= np.ptp(theirs, axis=0)).all()


def test_a_patient_of_two_diagnoses_counts_for_the_rarer_one_and_stays_whole():
    # Five patients have a melanoma and naevi, ten have naevi alone.
    target = [0, 1, 1] * 5 + [1] * 10
    groups = [f"both-{row // 3}" for row in range(15)] + [f"naevi-{row}" for row in range(10)]
    fold_of_row = assign_folds(target, groups, folds=5, seed=0, classes=("mel", "nv"))
    for fold in range(5):
        inside = [group for group, found in zip(groups, fold_of_row, strict=True) if found == fold]
        assert sum(group.startswith("both") for group in inside) == 3
        assert sum(group.startswith("naevi") for group in inside) == 2
