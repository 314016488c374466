import csv
import os
from pathlib import Path

import numpy as np
import pytest
from audit_images import encoded, pictures, resized, side_of
from PIL import Image

from qana.dataset.audit import Side, audit_splits, find_near_duplicates
from qana.dataset.audit.near_duplicates import MAX_HAMMING, MAX_PIXEL_DISTANCE, pixel_distance

COPIES = {
    "the same file": lambda picture: picture,
    "quality 95": lambda picture: encoded(picture, 95),
    "quality 50": lambda picture: encoded(picture, 50),
    "half size and back": lambda picture: resized(resized(picture, 32), 64),
    "brighter": lambda picture: np.minimum(picture * 1.1, 255).astype(np.uint8),
    "paler": lambda picture: (128 + 0.7 * (picture - 128.0)).astype(np.uint8),
    "flipped": lambda picture: picture[:, ::-1],
    "upside down": lambda picture: picture[::-1],
    "quarter turn": lambda picture: np.rot90(picture),
    "half turn, quality 75": lambda picture: encoded(np.ascontiguousarray(np.rot90(picture, 2)), 75),
    "transposed, brighter": lambda picture: np.minimum(picture.swapaxes(0, 1) + 20.0, 255).astype(np.uint8),
}


def found(first, second, **thresholds):
    chosen = {"max_hamming": MAX_HAMMING, "max_pixel_distance": MAX_PIXEL_DISTANCE, **thresholds}
    return find_near_duplicates(first, second, first_split="train", second_split="test", **chosen)


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES.keys())
@pytest.mark.parametrize("others", [3, 60], ids=["in a smaller side", "in a larger side"])
def test_a_planted_copy_is_the_one_pair_found(copy, others):
    train, test = pictures(30, seed=1), pictures(others, seed=2)
    test[2] = copy(train[17])
    (pair,) = found(side_of(train, "a"), side_of(test, "b"))
    assert (pair.first, pair.second) == ("a0017", "b0002")
    assert (pair.first_split, pair.second_split) == ("train", "test")
    assert pair.hamming <= MAX_HAMMING
    assert pair.pixel_distance <= MAX_PIXEL_DISTANCE


def test_unrelated_pictures_make_no_pair():
    assert found(side_of(pictures(150, seed=3), "a"), side_of(pictures(150, seed=4), "b")) == ()


def test_pixels_refuse_what_the_hash_takes_for_a_copy():
    train = pictures(1, seed=5)
    spoilt = train.copy()
    # A chequered pattern is above the frequencies of the hash.
    spoilt[0, ::2, ::2] = 0
    spoilt[0, 16:48, 16:48] = spoilt[0, 16:48, 16:48] // 2
    (candidate,) = found(side_of(train, "a"), side_of(spoilt, "b"), max_hamming=16, max_pixel_distance=2.0)
    assert candidate.pixel_distance > MAX_PIXEL_DISTANCE
    assert found(side_of(train, "a"), side_of(spoilt, "b"), max_hamming=16) == ()


def test_a_pair_that_fits_in_several_symmetries_comes_once():
    quarter = pictures(1, seed=6, side=32)[0]
    half = np.concatenate([quarter, quarter[:, ::-1]], axis=1)
    symmetric = np.concatenate([half, half[::-1]])[None]
    (pair,) = found(side_of(symmetric, "a"), side_of(symmetric, "b"), max_hamming=64)
    assert pair.pixel_distance == 0


def test_blank_images_are_not_copies_of_each_other():
    blank = np.stack([np.full((64, 64, 3), level, dtype=np.uint8) for level in range(0, 250, 10)])
    assert found(side_of(blank, "a"), side_of(blank, "b")) == ()


def test_pairs_come_nearest_first_and_do_not_depend_on_the_order_of_the_rows():
    train = pictures(20, seed=7)
    test = np.stack(
        [encoded(picture, quality) for picture, quality in zip(train, range(15, 95, 4), strict=True)]
    )
    pairs = found(side_of(train, "a"), side_of(test, "b"))
    assert len(pairs) == 20
    assert [pair.pixel_distance for pair in pairs] == sorted(pair.pixel_distance for pair in pairs)
    first, second = side_of(train, "a"), side_of(test, "b")
    assert found(_reversed(first), _reversed(second)) == pairs


def _reversed(side):
    return Side(side.image_ids[::-1], side.groups, side.images[::-1], side.perceptual_hash[::-1])


def test_pairs_of_one_group_are_told_from_others_and_unknown_groups_from_both():
    train = pictures(3, seed=8)
    first = side_of(train, "a", groups=("x", "y", "z"))
    second = side_of(train, "b", groups=("x", "other", "z"))
    same = {pair.first: pair.same_group for pair in found(first, second)}
    assert same == {"a0000": True, "a0001": False, "a0002": True}
    assert {pair.same_group for pair in found(first, side_of(train, "b"))} == {None}


def test_an_empty_side_has_no_pairs():
    empty = side_of(np.zeros((0, 64, 64, 3), dtype=np.uint8), "a")
    assert found(empty, side_of(pictures(3, seed=0), "b")) == ()
    assert found(side_of(pictures(3, seed=0), "b"), empty) == ()


def test_pixel_distance_is_that_of_the_correlation():
    grey = pictures(12, seed=9)[..., 0].astype(np.float32)
    correlation = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(grey[:6], grey[6:], strict=True)]
    expected = np.sqrt(2 - 2 * np.array(correlation))
    assert np.allclose(pixel_distance(grey[:6], grey[6:]), expected, atol=1e-4)


def test_pixel_distance_runs_from_copies_to_negatives():
    grey = pictures(4, seed=10)[..., 0].astype(np.float32)
    assert np.allclose(pixel_distance(grey, 0.5 * grey + 30), 0, atol=1e-4)
    assert np.allclose(pixel_distance(grey, 255 - grey), 2, atol=1e-4)


@pytest.mark.real_data
def test_ham10000_has_one_photograph_under_two_lesions():
    folder = Path(os.environ.get("QANA_DATA_DIR") or "") / "ham10000"
    if not os.environ.get("QANA_DATA_DIR") or not (folder / "images").is_dir():
        pytest.skip("QANA_DATA_DIR does not name a folder that holds ham10000/images")
    with (folder / "HAM10000_metadata.csv").open(newline="") as file:
        lesion_of = {row["image_id"]: row["lesion_id"] for row in csv.DictReader(file)}
    names = [*sorted(lesion_of)[:600], "ISIC_0025226", "ISIC_0030074"]
    images = np.stack([_photograph(folder / "images" / f"{name}.jpg") for name in names])
    # Every lesion on one side; the two lesions of the pair on different ones.
    in_test = np.array([int(lesion_of[name][-1]) % 5 == 0 for name in names])
    assert in_test[-2:].tolist() == [False, True]
    sides = {
        name: _side([n for n, k in zip(names, keep, strict=True) if k], images[keep], lesion_of)
        for name, keep in (("train", ~in_test), ("test", in_test))
    }
    audit = audit_splits(sides)
    assert audit.shared_groups == ()
    assert [(pair.first, pair.second) for pair in audit.near_duplicates] == [("ISIC_0025226", "ISIC_0030074")]


def _photograph(path):
    with Image.open(path) as image:
        x = (image.width - image.height) / 2
        box = (x, 0, x + image.height, image.height)
        return np.asarray(image.resize((64, 64), Image.Resampling.BILINEAR, box=box))


def _side(names, images, lesion_of):
    named = side_of(images, "")
    return Side(tuple(names), tuple(lesion_of[name] for name in names), images, named.perceptual_hash)
