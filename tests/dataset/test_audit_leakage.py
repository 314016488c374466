import json

import numpy as np
import pytest
from audit_images import pictures, side_of
from hypothesis import given
from hypothesis import strategies as st

from qana.dataset.audit import Side, audit_external, audit_splits, require_no_shared_groups
from qana.dataset.audit.groups import shared_groups, siblings
from qana.errors import QanaError


def blank_side(groups, prefix="image"):
    """A side whose images do not matter."""
    images = np.zeros((len(groups), 8, 8, 3), dtype=np.uint8)
    return side_of(images, prefix, groups=tuple(groups))


def three_sides(train, val, test):
    return {"train": blank_side(train, "a"), "val": blank_side(val, "b"), "test": blank_side(test, "c")}


def test_groups_on_two_or_three_sides_are_named_once_and_sorted():
    audit = audit_splits(three_sides("zzxqa", "xyz", "qyz"))
    assert audit.shared_groups == ("q", "x", "y", "z")


def test_siblings_count_images_whose_group_is_in_train():
    audit = audit_splits(three_sides("aab", "bbc", "aacd"))
    assert audit.siblings == {"val": 2, "test": 2}


names = st.lists(st.sampled_from("abcdefgh"), max_size=12)


@given(names, names, names)
def test_group_counts_equal_a_loop_over_all_images(train, val, test):
    sides = three_sides(train, val, test)
    everywhere = [set(train), set(val), set(test)]
    expected = sorted(g for g in "abcdefgh" if sum(g in groups for groups in everywhere) > 1)
    assert list(shared_groups(sides.values())) == expected
    assert siblings(sides["test"], sides["train"]) == len([g for g in test if train.count(g)])


def test_unknown_groups_share_nothing():
    images = np.zeros((2, 8, 8, 3), dtype=np.uint8)
    audit = audit_splits({name: side_of(images, name) for name in ("train", "val", "test")})
    assert audit.shared_groups == ()
    assert audit.siblings == {"val": 0, "test": 0}


def test_copies_are_found_between_all_sides_but_not_within_one():
    images = pictures(9, seed=1)
    images[1] = images[0]  # both in train
    images[4] = images[2]  # train and val
    images[7] = images[3]  # val and test
    images[8] = images[0]  # train twice and test
    sides = {
        "train": side_of(images[:3], "a"),
        "val": side_of(images[3:6], "b"),
        "test": side_of(images[6:], "c"),
    }
    pairs = {
        (pair.first, pair.second, pair.first_split, pair.second_split)
        for pair in audit_splits(sides).near_duplicates
    }
    assert pairs == {
        ("a0002", "b0001", "train", "val"),
        ("b0000", "c0001", "val", "test"),
        ("a0000", "c0002", "train", "test"),
        ("a0001", "c0002", "train", "test"),
    }


def test_report_counts_all_pairs_and_lists_the_nearest_hundred():
    images = np.repeat(pictures(1, seed=2), 12, axis=0)
    audit = audit_splits({"train": side_of(images, "a"), "test": side_of(images, "b")})
    block = json.loads(json.dumps(audit.as_dict()))
    assert block["near_duplicates"] == 144
    assert len(block["pairs"]) == 100
    assert (block["max_hamming"], block["max_pixel_distance"]) == (10, 0.15)
    assert block["pairs"][0] == {
        "first": "a0000", "second": "b0000", "first_split": "train", "second_split": "test",
        "hamming": 0, "pixel_distance": 0.0, "same_group": None,
    }  # fmt: skip


def test_external_audit_compares_with_the_second_source_only():
    seen, external = pictures(6, seed=3), pictures(4, seed=4)
    seen[1] = seen[0]
    external[2] = seen[5]
    audit = audit_external(
        side_of(seen, "image", groups=tuple("aabbcc")), side_of(external, "image", groups=tuple("cdef"))
    )
    assert [(p.first, p.second, p.first_split, p.second_split) for p in audit.near_duplicates] == [
        ("image0005", "image0002", "train+val", "external")
    ]
    assert audit.shared_groups == ("c",)
    assert audit.siblings == {"external": 1}
    assert audit.shared_images == ("image0000", "image0001", "image0002", "image0003")


def test_a_shared_group_is_refused_by_name():
    audit = audit_splits(three_sides(["HAM_1", "HAM_2"], ["HAM_2"], ["HAM_3", "HAM_1"]))
    with pytest.raises(
        QanaError, match=r"2 values of lesion_id are on more than one side.*: HAM_1, HAM_2"
    ) as caught:
        require_no_shared_groups(audit, "lesion_id")
    assert caught.value.where == "dataset.protocol = lesion"
    assert caught.value.allowed == "all images of one lesion_id on one side"
    assert "dataset.protocol=image" in caught.value.fix


def test_a_clean_split_is_accepted():
    require_no_shared_groups(audit_splits(three_sides("ab", "cc", "de")), "lesion_id")


class RowsOnly:
    """Images that, as rows of a cache do, give only the rows they are asked for."""

    def __init__(self, images):
        self.images, self.read = images, []

    def __getitem__(self, rows):
        self.read.extend(np.atleast_1d(rows).tolist())
        return self.images[rows]


def test_only_images_of_candidates_are_read():
    train, test = pictures(40, seed=5), pictures(10, seed=6)
    test[4] = train[31]
    sides = {"train": side_of(train, "a"), "test": side_of(test, "b")}
    rows = {name: RowsOnly(side.images) for name, side in sides.items()}
    sides = {
        name: Side(side.image_ids, side.groups, rows[name], side.perceptual_hash)
        for name, side in sides.items()
    }
    assert len(audit_splits(sides).near_duplicates) == 1
    assert (rows["train"].read, rows["test"].read) == ([31], [4])
