import numpy as np
import pytest
from grouped_rows import Rows, cases, ids_of, reordered, rows_of_groups, split_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from qana.dataset.split import check_settings, split_hash
from qana.errors import QanaError

SIZES = {"bcc": [3, 1, 2, 1, 1, 4], "mel": [1 + group % 3 for group in range(20)], "nv": [1] * 40}


@given(cases(), st.floats(0.01, 0.45))
def test_no_group_crosses_and_every_side_has_every_class(case, val_fraction):
    rows = case.rows
    parts = split_rows(rows, folds=case.folds, fold=case.fold, val_fraction=val_fraction, seed=case.seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(rows.target)))
    train, val, test = ({rows.groups[row] for row in part} for part in parts)
    assert not train & val
    assert not train & test
    assert not val & test
    assert all(set(rows.target[part]) == set(rows.target) for part in parts)
    assert all((np.diff(part) > 0).all() for part in parts)


@settings(max_examples=50)
@given(cases(), st.sampled_from(["lesion", "image"]))
def test_the_test_folds_together_are_the_source_once(case, protocol):
    tests = [
        split_rows(case.rows, protocol=protocol, folds=case.folds, fold=fold, seed=case.seed)[2]
        for fold in range(case.folds)
    ]
    assert sorted(np.concatenate(tests).tolist()) == list(range(len(case.rows.target)))


@given(cases(), st.floats(0.05, 0.4))
def test_validation_of_a_class_is_within_one_group_of_what_was_asked(case, val_fraction):
    rows = case.rows
    _, val, _ = split_rows(rows, folds=case.folds, fold=case.fold, val_fraction=val_fraction, seed=case.seed)
    _, index, sizes = np.unique(rows.groups, return_index=True, return_counts=True)
    for label in range(len(rows.classes)):
        asked = val_fraction * (rows.target == label).sum()
        largest = sizes[rows.target[index] == label].max()
        assert abs((rows.target[val] == label).sum() - asked) <= largest


@given(cases(), st.sampled_from(["lesion", "image", "official"]), st.randoms(use_true_random=False))
def test_row_order_does_not_change_the_split(case, protocol, random):
    rows = case.rows
    order = random.sample(range(len(rows.target)), len(rows.target))
    shuffled = reordered(rows, order)
    fold = 0 if protocol == "official" else case.fold
    # A third of each class, and at least one group, is marked for test: its groups 0, 3, 6, ...
    marks = ["test" if int(group.split("-")[1]) % 3 == 0 else "train" for group in rows.groups]
    arguments = {"protocol": protocol, "folds": case.folds, "fold": fold, "seed": case.seed}
    before = split_rows(rows, official=marks, **arguments)
    after = split_rows(shuffled, official=[marks[row] for row in order], **arguments)
    assert ids_of(rows, before) == ids_of(shuffled, after)


def test_the_split_is_the_same_on_every_machine():
    # Recorded once; a change here means that published splits cannot be made again.
    rows = rows_of_groups(SIZES)
    hashes = [
        split_hash(*ids_of(rows, split_rows(rows, protocol=protocol, fold=fold, seed=seed)))
        for protocol, fold, seed in (("lesion", 0, 0), ("lesion", 3, 0), ("lesion", 0, 1), ("image", 0, 0))
    ]
    assert hashes == [
        "1b2a404ebb60ac6757035803663fec6f34a1be1a34afd703095d29017ab9d310",
        "90afed4de6b279bf7087efd0b8f22a2a1c3be7da3d70c55da90ef831df7fcd53",
        "288ca012ca4918410e214789bd6fd6c547d4aba82c7b82a6822458f4b0d24d02",
        "527d7a18d2eb172977a43f8c0a271fc19b2d8d0497522869bcfa6b217605b5a8",
    ]


def test_seed_and_fold_change_the_validation():
    rows = rows_of_groups(SIZES)
    sides = {
        (fold, seed): ids_of(rows, split_rows(rows, fold=fold, seed=seed))
        for fold in (0, 1)
        for seed in (0, 1)
    }
    assert len({side[1] for side in sides.values()}) == 4
    assert len({side[2] for side in sides.values()}) == 4


def test_large_and_small_groups_both_validate():
    # 20 % of 20 groups of six and 80 single images: 4 of the large and 16 of the small, as by proportion.
    rows = rows_of_groups({"nv": [6] * 20 + [1] * 80})
    _, val, test = split_rows(rows, val_fraction=0.2)
    for part in (val, test):
        large = {rows.groups[row] for row in part if int(rows.groups[row].split("-")[1]) < 20}
        assert (len(large), len(part)) == (4, 40)


def test_image_protocol_lets_groups_cross_and_lesion_does_not():
    rows = rows_of_groups({"mel": [4] * 30, "nv": [4] * 30})

    def shared(protocol):
        train, _, test = split_rows(rows, protocol=protocol)
        return {rows.groups[row] for row in train} & {rows.groups[row] for row in test}

    assert not shared("lesion")
    assert len(shared("image")) > 20


def test_image_protocol_needs_no_groups_of_its_own():
    rows = rows_of_groups({"mel": [9], "nv": [30]})  # one lesion per class, and still enough images
    train, val, test = split_rows(rows, protocol="image")
    assert [len(part) for part in (train, val, test)] == [25, 6, 8]


def test_official_marks_stand_as_they_are():
    rows = rows_of_groups({"mel": [2, 1, 1], "nv": [1, 1, 1]})
    marks = ["train", "test", "val", "test", "train", "val", "test"]
    parts = split_rows(rows, protocol="official", official=marks)
    assert [part.tolist() for part in parts] == [[0, 4], [2, 5], [1, 3, 6]]


def test_official_validation_is_drawn_from_train_by_group():
    rows = rows_of_groups({"mel": [1 + group % 3 for group in range(60)], "nv": [2] * 90})
    marks = ["test" if int(group.split("-")[1]) % 5 == 0 else "train" for group in rows.groups]
    train, val, test = split_rows(rows, protocol="official", official=marks, val_fraction=0.2)
    assert {marks[row] for row in (*train, *val)} == {"train"}
    assert {marks[row] for row in test} == {"test"}
    assert not {rows.groups[row] for row in train} & {rows.groups[row] for row in val}
    for label in (0, 1):  # a fifth of all images, in the class proportions of train
        marked = np.array([mark == "train" for mark in marks])
        asked = 0.2 * len(marks) / marked.sum() * (marked & (rows.target == label)).sum()
        assert abs((rows.target[val] == label).sum() - asked) <= 1.5  # half of the largest group


def test_official_validation_takes_single_images_where_groups_are_unknown():
    rows = rows_of_groups({"mel": [20], "nv": [30]})
    marks = ["test" if row % 5 == 0 else "train" for row in range(50)]
    ungrouped = Rows(rows.target, None, rows.image_ids, rows.classes)
    train, val, test = split_rows(ungrouped, protocol="official", official=marks, val_fraction=0.2)
    assert [len(part) for part in (train, val, test)] == [30, 10, 10]


@pytest.mark.parametrize(
    ("changed", "message", "where"),
    [
        ({"protocol": "patient"}, "'patient' is no protocol", "dataset.protocol = patient"),
        ({"folds": 1, "fold": 0}, "1 folds", "dataset.folds = 1"),
        ({"fold": 5}, "no fold 5 of 5", "dataset.fold = 5"),
        ({"fold": -1}, "no fold -1 of 5", "dataset.fold = -1"),
        ({"protocol": "official", "fold": 1}, "no fold 1 of an official split", "dataset.fold = 1"),
        ({"val_fraction": 0.0}, "validation share of 0.0 while 1/5", "dataset.val_fraction = 0.0"),
        ({"val_fraction": 0.8}, "validation share of 0.8 while 1/5", "dataset.val_fraction = 0.8"),
        ({"val_fraction": float("nan")}, "validation share of nan", "dataset.val_fraction = nan"),
        ({"protocol": "official", "val_fraction": 1.0}, "share of 1.0 leaves", "dataset.val_fraction = 1.0"),
    ],
)
def test_settings_that_cannot_be_split_by_are_refused(changed, message, where):
    arguments = {"protocol": "lesion", "folds": 5, "fold": 0, "val_fraction": 0.15} | changed
    with pytest.raises(QanaError, match=message) as caught:
        check_settings(**arguments)
    assert caught.value.where.startswith(where)
    with pytest.raises(QanaError, match=message):
        split_rows(rows_of_groups(SIZES), **arguments)


def test_the_widest_settings_are_accepted():
    check_settings(protocol="lesion", folds=2, fold=1, val_fraction=0.49)
    check_settings(protocol="official", folds=5, fold=0, val_fraction=0.9)


def test_lesion_protocol_needs_groups():
    rows = rows_of_groups(SIZES)._replace(groups=None)
    with pytest.raises(QanaError, match="does not say which images show the same lesion") as caught:
        split_rows(rows)
    assert caught.value.allowed == "for this source: image"
    with pytest.raises(QanaError, match="for this source: image, official"):
        split_rows(rows, official=["train"] * len(rows.target))


def test_official_protocol_needs_marks():
    with pytest.raises(QanaError, match="no split of its own"):
        split_rows(rows_of_groups(SIZES), protocol="official")


def test_every_class_with_too_few_groups_is_listed_with_its_count():
    rows = rows_of_groups({"bcc": [1] * 9, "mel": [5], "nv": [1, 2, 1, 1], "vasc": []})
    with pytest.raises(
        QanaError, match=r"too few lesions \(groups\) to split: mel \(1\), nv \(4\), vasc \(0\)"
    ) as caught:
        split_rows(rows)
    assert "at least 5 lesions (groups) of each class" in caught.value.allowed
    with pytest.raises(QanaError, match=r"images to split: mel \(5\), nv \(5\), vasc \(0\)"):
        split_rows(rows, protocol="image", folds=6)


@pytest.mark.parametrize(("folds", "needed"), [(2, 4), (3, 3), (4, 4), (10, 10)])
def test_a_class_needs_as_many_groups_as_the_message_says(folds, needed):
    rows = rows_of_groups({"mel": [7] + [1] * (needed - 1)})
    for fold in range(folds):
        assert all(len(part) for part in split_rows(rows, folds=folds, fold=fold))
    with pytest.raises(QanaError, match=f"at least {needed} lesions"):
        split_rows(rows_of_groups({"mel": [7] + [1] * (needed - 2)}), folds=folds)


def test_the_fix_names_the_largest_number_of_folds_that_works():
    rows = rows_of_groups({"mel": [1] * 4, "nv": [1] * 9})
    with pytest.raises(QanaError, match=r"dataset\.folds=4, or add"):
        split_rows(rows, folds=5)
    assert all(len(part) for part in split_rows(rows, folds=4))


def test_groups_of_several_classes_are_never_torn():
    rows = rows_of_groups({"mel": [2] * 9, "nv": [2] * 9})
    patients = tuple(f"patient-{row % 12}" for row in range(36))
    parts = split_rows(rows._replace(groups=patients), folds=3)
    sides = [{patients[row] for row in part} for part in parts]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 12


def test_a_side_left_without_a_class_by_mixed_groups_is_refused():
    # Naevi are seen in six groups, all of them those of rarer classes, which decide where the groups go.
    rows = rows_of_groups({"mel": [1] * 5, "nv": [1] * 6, "vasc": [1] * 5})
    melanomas, vascular = [f"m{row}" for row in range(5)], [f"v{row}" for row in range(5)]
    patients = (*melanomas, *melanomas[:3], *vascular[:3], *vascular)
    found = set()
    for seed in range(20):
        try:
            split_rows(rows._replace(groups=patients), folds=3, seed=seed)
        except QanaError as error:
            found.add(error.what.partition(":")[0])
    assert found == {"the groups carry several classes each, and these sides are left without one"}, found


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        (["train"] * 7, "no image for test"),
        (["test"] * 7, "no image for train"),
        (["train", "valid", "test", "train", "train", "train", "train"], "unknown side 'valid'"),
        (["train"] * 4 + ["test"] * 3, "1 classes have no image in the official train split: nv"),
        (["train", "test", "train", "test", "test", "train", "train"], r"nv \(1\)"),
    ],
)
def test_official_splits_without_what_training_needs_are_refused(marks, message):
    rows = rows_of_groups({"mel": [1, 1, 1, 1], "nv": [1, 2]})
    with pytest.raises(QanaError, match=message):
        split_rows(rows, protocol="official", official=marks, val_fraction=0.1)


def test_official_validation_cannot_take_more_than_train_has():
    rows = rows_of_groups({"mel": [1] * 10, "nv": [1] * 10})
    marks = ["train" if row % 10 < 3 else "test" for row in range(20)]
    with pytest.raises(QanaError, match=r"0\.4 of 20 images, and only 6 are official train") as caught:
        split_rows(rows, protocol="official", official=marks, val_fraction=0.4)
    assert "below 0.3" in caught.value.allowed
