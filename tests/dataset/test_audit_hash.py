from importlib import import_module

import numpy as np
import pytest
from audit_images import encoded, pictures, resized
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.fft import dctn

from qana.dataset.audit import perceptual_hash
from qana.dataset.audit.area_resize import area_resize, area_weights
from qana.dataset.audit.hash_search import near_hashes
from qana.dataset.audit.perceptual_hash import hash_symmetries
from qana.dataset.audit.symmetries import SYMMETRIES


def hamming(first, second):
    return np.array([bin(int(a) ^ int(b)).count("1") for a, b in zip(first, second, strict=True)])


def hash_by_scipy(picture):
    """The same hash by way of Pillow and SciPy, bit by bit."""
    grey = Image.fromarray((picture @ [0.299, 0.587, 0.114]).astype(np.float32))
    small = np.asarray(grey.resize((32, 32), Image.Resampling.BOX))
    bits = dctn(small, norm="ortho")[1:9, 1:9].reshape(-1) > 0
    return sum(1 << place for place, bit in enumerate(bits) if bit)


@pytest.mark.parametrize("side", [32, 64, 96])
def test_hash_is_that_of_pillow_and_scipy(side):
    images = pictures(20, seed=1, side=side)
    expected = np.array([hash_by_scipy(image) for image in images], dtype=np.uint64)
    differences = hamming(perceptual_hash(images), expected)
    assert differences.max() <= 1  # a coefficient within rounding of zero
    assert differences.sum() <= 2


@pytest.mark.parametrize(("size", "new_size"), [(8, 32), (28, 24), (64, 24), (150, 32), (224, 32)])
def test_area_resize_is_pillows_box_filter_where_it_shrinks_and_keeps_the_mean(size, new_size):
    weights = area_weights(size, new_size)
    assert np.allclose(weights.sum(axis=1), 1, atol=1e-6)
    assert np.allclose(weights.sum(axis=0), new_size / size, atol=1e-6)  # every sample counts alike
    if size % new_size == 0:
        grey = np.random.default_rng(0).random((size, size), dtype=np.float32)
        box = Image.fromarray(grey).resize((new_size, new_size), Image.Resampling.BOX)
        assert np.allclose(area_resize(grey[None], new_size)[0], box, atol=1e-5)


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (150, 200), (64, 9)])
def test_any_size_of_at_least_eight_has_a_hash(size):
    images = np.random.default_rng(0).integers(0, 256, (3, *size, 3), dtype=np.uint8)
    hashes = perceptual_hash(images)
    assert hashes.dtype == np.uint64
    assert len(set(hashes.tolist())) == 3


def test_hash_of_every_symmetry_is_the_hash_of_the_moved_image():
    images = pictures(30, seed=2)
    for symmetry, row in zip(SYMMETRIES, hash_symmetries(perceptual_hash(images)), strict=True):
        assert hamming(row, perceptual_hash(symmetry.apply(images))).max() == 0


def test_symmetries_are_the_eight_of_the_square():
    image = np.arange(9).reshape(1, 3, 3)
    quarter_turns = [np.rot90(image, turns, axes=(1, 2)) for turns in range(4)]
    expected = {turned.tobytes() for turn in quarter_turns for turned in (turn, turn[:, :, ::-1])}
    assert {symmetry.apply(image).tobytes() for symmetry in SYMMETRIES} == expected
    assert len(expected) == 8


@pytest.mark.parametrize("quality", [50, 75, 95])
def test_encoding_changes_few_bits(quality):
    images = pictures(20, seed=3)
    copies = np.stack([encoded(image, quality) for image in images])
    assert hamming(perceptual_hash(images), perceptual_hash(copies)).max() <= 6


@pytest.mark.parametrize("side", [28, 48, 128])
def test_size_changes_few_bits(side):
    images = pictures(20, seed=4)
    copies = np.stack([resized(image, side) for image in images])
    assert hamming(perceptual_hash(images), perceptual_hash(copies)).max() <= 6


def test_brightness_and_contrast_change_few_bits():
    images = pictures(20, seed=5) // 2  # room for more light
    assert hamming(perceptual_hash(images), perceptual_hash(images + 60)).max() <= 1
    assert hamming(perceptual_hash(images), perceptual_hash(images * 2)).max() <= 1


def test_other_pictures_differ_in_about_half_the_bits():
    hashes = perceptual_hash(pictures(40, seed=6))
    first, second = np.triu_indices(40, 1)
    assert 28 < hamming(hashes[first], hashes[second]).mean() < 36


@given(st.integers(0, 255))
def test_blank_images_hash_to_zero(level):
    assert perceptual_hash(np.full((2, 30, 41, 3), level, dtype=np.uint8)).tolist() == [0, 0]


def test_memory_mapped_images_in_pieces_hash_as_in_memory(tmp_path, monkeypatch):
    images = pictures(11, seed=7)
    np.save(tmp_path / "images.npy", images)
    whole = perceptual_hash(images)
    monkeypatch.setattr(import_module("qana.dataset.audit.perceptual_hash"), "PIXELS_AT_ONCE", 3 * 64 * 64)
    assert perceptual_hash(np.load(tmp_path / "images.npy", mmap_mode="r")).tolist() == whole.tolist()


@pytest.mark.parametrize("max_hamming", [0, 3, 24])
@pytest.mark.parametrize("at_once", [1, 200, 1 << 19])
def test_search_finds_what_a_loop_over_all_pairs_finds(max_hamming, at_once, monkeypatch):
    monkeypatch.setattr("qana.dataset.audit.hash_search.HASHES_AT_ONCE", at_once)
    monkeypatch.setattr("qana.dataset.audit.hash_search.CANDIDATES_AT_ONCE", 5)
    images = pictures(7, seed=8)
    first = perceptual_hash(images)
    second = np.append(perceptual_hash(np.concatenate([pictures(9, seed=9), images[:3, ::-1]])), np.uint64(0))
    expected = {
        (row, column, number, int(bits))
        for number, symmetry in enumerate(SYMMETRIES)
        for row, moved in enumerate(perceptual_hash(symmetry.apply(images)))
        for column in range(len(second) - 1)  # the last is blank
        if (bits := hamming([moved], [second[column]])[0]) <= max_hamming
    }
    found = [
        tuple(map(int, candidate))
        for block in near_hashes(first, second, max_hamming=max_hamming)
        for candidate in zip(*block, strict=True)
    ]
    assert len(found) == len(set(found))
    assert set(found) == expected
    assert expected
