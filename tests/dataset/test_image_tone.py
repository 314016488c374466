import math
from importlib import import_module
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from qana.dataset.audit import image_tone, image_tone_ita_deg
from qana.dataset.audit.cielab import cielab
from qana.dataset.audit.image_tone import masked_median
from qana.dataset.audit.otsu import otsu_threshold

LIGHT, TAN, BROWN = (236, 200, 170), (190, 140, 100), (120, 78, 48)

# L*, a*, b* under D65, to two decimals, as published for the corners of sRGB.
KNOWN = {
    (255, 0, 0): (53.24, 80.09, 67.20),
    (0, 255, 0): (87.73, -86.18, 83.18),
    (0, 0, 255): (32.30, 79.19, -107.86),
    (255, 255, 255): (100.0, 0.0, 0.0),
    (128, 128, 128): (53.59, 0.0, 0.0),
    (0, 0, 0): (0.0, 0.0, 0.0),
}


@pytest.mark.parametrize(("pixel", "expected"), KNOWN.items())
def test_cielab_of_known_colours(pixel, expected):
    assert cielab(np.array(pixel, dtype=np.uint8)) == pytest.approx(
        expected, abs=0.03
    )  # the standard rounds its primaries


def angle_by_hand(pixel):
    """ITA of one sRGB colour, step by step."""
    light = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in pixel)]
    y = 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2]
    z = (0.0193 * light[0] + 0.1192 * light[1] + 0.9505 * light[2]) / 1.089
    lightness, blue_yellow = 116 * y ** (1 / 3) - 16, 200 * (y ** (1 / 3) - z ** (1 / 3))
    return math.degrees(math.atan((lightness - 50) / blue_yellow))


def skin(colour, size=64):
    """Skin with a little grain and a dark lesion in the middle, (1, size, size, 3)."""
    grain = np.random.default_rng(0).integers(-2, 3, (size, size, 1))
    image = np.clip(np.array(colour) + grain, 0, 255).astype(np.uint8)
    image[radius(size) < 0.45] = np.array(colour) // 3
    return image[None]


def radius(size):
    centred = (2 * np.arange(size) + 1) / size - 1
    return np.hypot(centred[:, None], centred)


@pytest.mark.parametrize("size", [28, 64, 200])
@pytest.mark.parametrize("colour", [LIGHT, TAN, BROWN])
def test_angle_is_that_of_the_skin_and_not_of_the_lesion(colour, size):
    assert image_tone_ita_deg(skin(colour, size)) == pytest.approx(angle_by_hand(colour), abs=1.5)


def with_black_corners(image):
    image[0, radius(64) > 0.9] = 5


def with_hair(image):
    image[0, ::9] = 20
    image[0, :, 3::11] = 25


def with_ink(image):
    image[0, :14] = (90, 60, 200)


def with_pale_ink(image):
    image[0, :14] = (200, 215, 250)  # brighter than the skin, so that brightness does not tell


def with_highlights(image):
    image[0, 4:60:6, 2:60:5] = 255
    image[0, :8] = 255


@pytest.mark.parametrize(
    ("blemish", "colour"),
    [
        *product([with_black_corners, with_hair, with_ink, with_highlights], [LIGHT, TAN, BROWN]),
        *product([with_pale_ink], [LIGHT, TAN]),
    ],
)
def test_what_is_not_skin_leaves_the_angle_as_it_is(blemish, colour):
    clean, image = skin(colour), skin(colour)
    blemish(image)
    assert (image != clean).any()
    assert image_tone_ita_deg(image) == pytest.approx(image_tone_ita_deg(clean), abs=2)


def test_an_object_much_brighter_than_the_skin_gives_no_tone_instead_of_its_own():
    image = skin(BROWN)
    image[0, :10] = (200, 215, 250)
    assert np.isnan(image_tone_ita_deg(image)).all()


def test_a_lesion_that_fills_the_ring_leaves_nothing_to_see():
    image = np.full((1, 64, 64, 3), 60, dtype=np.uint8)
    image[0, 30:34, 30:34] = LIGHT
    assert np.isnan(image_tone_ita_deg(image)).all()


def test_black_images_have_no_tone():
    assert np.isnan(image_tone_ita_deg(np.zeros((2, 64, 64, 3), dtype=np.uint8))).all()


def test_bluish_light_ends_the_scale_instead_of_turning_light_skin_dark():
    angle = image_tone_ita_deg(skin((210, 190, 230)))
    assert angle == pytest.approx(90)
    assert image_tone(angle).tolist() == ["very_light"]


def test_pieces_do_not_change_the_angles(monkeypatch):
    images = np.concatenate([skin(colour) for colour in (LIGHT, TAN, BROWN, LIGHT, TAN)])
    whole = image_tone_ita_deg(images)
    monkeypatch.setattr(import_module("qana.dataset.audit.image_tone"), "IMAGES_AT_ONCE", 2)
    assert image_tone_ita_deg(images).tolist() == whole.tolist()
    assert whole.dtype == np.float32


def test_no_images_have_no_angles():
    assert image_tone_ita_deg(np.zeros((0, 64, 64, 3), dtype=np.uint8)).shape == (0,)


def test_strata_follow_the_published_bounds():
    angles = [56, 55, 42, 41, 29, 28, 11, 10, -29, -30, -31, float("nan")]
    expected = [
        "very_light", "light", "light", "intermediate", "intermediate", "tan", "tan", "brown", "brown",
        "dark", "dark", "unknown",
    ]  # fmt: skip
    assert image_tone(angles).tolist() == expected


def otsu_by_search(grey):
    """The first level whose two classes have the largest variance between them, by trying all."""
    best, best_between = 0, 0.0
    for level in range(255):
        dark, bright = grey[grey <= level].astype(float), grey[grey > level].astype(float)
        if len(dark) and len(bright):
            between = len(dark) * len(bright) * (dark.mean() - bright.mean()) ** 2
            if between > best_between * (1 + 1e-12):
                best, best_between = level, between
    return best


@given(arrays(np.uint8, (3, 40)), arrays(np.bool_, (3, 40)))
def test_otsu_equals_a_search_over_all_levels(grey, counted):
    expected = [otsu_by_search(row[keep]) for row, keep in zip(grey, counted, strict=True)]
    assert otsu_threshold(grey, counted).tolist() == expected


@given(arrays(np.float32, (4, 9), elements=st.floats(-100, 100, width=32)), arrays(np.bool_, (4, 9)))
def test_masked_median_is_numpys_over_what_is_kept(values, mask):
    expected = [
        np.median(row[keep]) if keep.any() else np.nan for row, keep in zip(values, mask, strict=True)
    ]
    assert masked_median(values, mask) == pytest.approx(expected, abs=1e-4, nan_ok=True)
