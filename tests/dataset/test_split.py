from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qana.dataset import ImageSet, count_leaked_groups, split_by_group
from qana.dataset.split import split_by_lesion
from qana.errors import QanaError


@st.composite
def labelled_groups(draw):
    """Shuffled rows of 1 to 5 classes, each with 3 to 30 groups of 1 to 6 rows."""
    rows = [
        (label, f"L{label}_{group}")
        for label in range(draw(st.integers(1, 5)))
        for group in range(draw(st.integers(3, 30)))
        for _ in range(draw(st.integers(1, 6)))
    ]
    rows = draw(st.permutations(rows))
    return np.array([label for label, _ in rows]), np.array([group for _, group in rows])


@settings(max_examples=60, deadline=None)
@given(labelled_groups(), st.integers(0, 2**31), st.floats(0.05, 0.4), st.floats(0.05, 0.4))
def test_no_group_crosses_and_every_row_is_used_once(rows, seed, val_fraction, test_fraction):
    target, groups = rows
    parts = split_by_group(target, groups, val_fraction=val_fraction, test_fraction=test_fraction, seed=seed)
    assert sorted(np.concatenate(parts)) == list(range(len(target)))
    train, val, test = (set(groups[part]) for part in parts)
    assert not train & val
    assert not train & test
    assert not val & test
    assert all(set(target[part]) == set(target) for part in parts)


@settings(max_examples=30, deadline=None)
@given(labelled_groups(), st.integers(0, 1000), st.randoms(use_true_random=False))
def test_row_order_does_not_change_the_split(rows, seed, random):
    target, groups = rows
    order = np.array(random.sample(range(len(target)), len(target)))
    fractions = {"val_fraction": 0.2, "test_fraction": 0.2, "seed": seed}
    before = split_by_group(target, groups, **fractions)
    after = split_by_group(target[order], groups[order], **fractions)
    for rows_before, rows_after in zip(before, after, strict=True):
        assert set(groups[rows_before]) == set(groups[order][rows_after])


def test_class_shares_are_within_one_large_group():
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 7, 700)
    groups = np.repeat(np.arange(700), sizes)
    target = np.repeat(rng.integers(0, 7, 700), sizes)
    _, val, test = split_by_group(target, groups, val_fraction=0.15, test_fraction=0.2, seed=3)
    for part, share in ((val, 0.15), (test, 0.2)):
        for label, count in Counter(target.tolist()).items():
            assert abs((target[part] == label).sum() - share * count) <= 6


def test_large_groups_are_spread_over_all_splits():
    groups = np.repeat(np.arange(100), [6] * 20 + [1] * 80)
    parts = split_by_group(np.zeros(200, int), groups, val_fraction=0.2, test_fraction=0.2, seed=0)
    large = [len({group for group in groups[part] if group < 20}) for part in parts]
    assert large == [12, 4, 4]


def test_another_seed_gives_another_split():
    target, groups = np.repeat([0, 1], 50), np.arange(100)
    splits = [
        split_by_group(target, groups, val_fraction=0.2, test_fraction=0.2, seed=seed)[2].tolist()
        for seed in (0, 0, 1)
    ]
    assert splits[0] == splits[1] != splits[2]


def test_leaked_groups_are_counted_once_each():
    assert count_leaked_groups(["a", "a", "b"], ["b", "c"], ["b", "c", "d"]) == 2
    assert count_leaked_groups(["a", "a"], ["b"], ["c"]) == 0


@pytest.mark.parametrize(
    ("val", "test"), [(0.0, 0.2), (0.2, 0.0), (-0.1, 0.2), (0.5, 0.5), (float("nan"), 0.2)]
)
def test_fractions_that_empty_a_split_are_refused(val, test):
    with pytest.raises(QanaError, match="both above 0, their sum below 1"):
        split_by_group([0, 0, 0], [1, 2, 3], val_fraction=val, test_fraction=test, seed=0)


def test_every_class_with_too_few_groups_is_listed():
    target, groups = [0, 0, 0, 1, 1, 2, 2, 2], ["a", "b", "c", "d", "d", "e", "e", "f"]
    with pytest.raises(QanaError, match=r"mel \(1\), nv \(2\), vasc \(0\)"):
        split_by_group(
            target,
            groups,
            val_fraction=0.2,
            test_fraction=0.2,
            seed=0,
            classes=("df", "mel", "nv", "vasc"),
        )
    with pytest.raises(QanaError, match=r"1 \(1\), 2 \(2\)"):
        split_by_group(target, groups, val_fraction=0.2, test_fraction=0.2, seed=0)


def test_a_source_without_rows_is_refused():
    with pytest.raises(QanaError, match="there are no rows"):
        split_by_group([], [], val_fraction=0.2, test_fraction=0.2, seed=0)


def test_a_group_of_two_classes_is_refused():
    with pytest.raises(QanaError, match="2 lesions carry more than one class: a, c"):
        split_by_group(
            [0, 1, 0, 0, 1], ["a", "a", "b", "c", "c"], val_fraction=0.2, test_fraction=0.2, seed=0
        )


def test_a_source_keeps_images_labels_and_names_together():
    count = 40
    images = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 5, 3), np.uint8)
    source = ImageSet(
        images,
        np.arange(count) // 20,
        tuple(f"image{row}" for row in range(count)),
        tuple(f"lesion{row // 2}" for row in range(count)),
    )
    splits = split_by_lesion("demo", ("a", "b"), source, val_fraction=0.2, test_fraction=0.2, seed=0)
    assert (splits.leaked_groups, splits.protocol, splits.group_key) == (0, "lesion", "lesion_id")
    assert splits.image_shape == (4, 5, 3)
    for part in (splits.train, splits.val, splits.test):
        rows = part.images[:, 0, 0, 0].astype(int)
        assert part.image_ids == tuple(f"image{row}" for row in rows)
        assert part.lesion_ids == tuple(f"lesion{row // 2}" for row in rows)
        assert part.target.tolist() == (rows // 20).tolist()
