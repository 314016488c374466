import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from photographs import EXIF_ORIENTATION, decoded_directly, noise, save_photograph, under_grey_light
from PIL import Image

from qana.dataset.pixels.preprocessing import Preprocessing
from qana.dataset.pixels.shades_of_gray import shades_of_gray as shades_of_gray_of_picture
from qana.errors import QanaError


def shades_of_gray(image):
    return np.asarray(shades_of_gray_of_picture(Image.fromarray(image)))


def prepared(path, image_size=16, crop="centre", colour="rgb"):
    with Image.open(path) as image:
        return Preprocessing(image_size, crop, colour).apply(image)


@pytest.mark.parametrize("colour", ["rgb", "shades_of_gray"])
@pytest.mark.parametrize("crop", ["centre", "none"])
@pytest.mark.parametrize("size", [(400, 300), (31, 57), (16, 16), (9, 5)])
def test_jpeg_becomes_what_pillow_makes_of_it_step_by_step(tmp_path, size, crop, colour):
    path = save_photograph(tmp_path / "a.jpg", 3, size=size)
    expected = decoded_directly(path, image_size=16, crop=crop, colour=colour)
    assert np.array_equal(prepared(path, crop=crop, colour=colour), expected)


def test_crop_centre_keeps_the_middle_and_crop_none_keeps_the_sides(tmp_path):
    picture = np.zeros((90, 150, 3), np.uint8)
    picture[:, :30] = picture[:, -30:] = 255  # 30 + 90 + 30: all white lies outside the middle square
    Image.fromarray(picture).save(tmp_path / "a.png")
    assert prepared(tmp_path / "a.png", crop="centre")[:, 2:-2].max() == 0
    columns = prepared(tmp_path / "a.png", crop="none").mean((0, 2))
    assert columns[:2].min() == columns[-2:].min() == 255
    assert columns[5:-5].max() == 0


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photograph_is_turned_as_its_exif_says(tmp_path, orientation, suffix):
    # The corner where the camera's first row and first column meet, for each EXIF value (TIFF 6.0, p. 36).
    corner = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, :32] = 255
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    Image.fromarray(picture).save(tmp_path / f"a.{suffix}", exif=exif)
    quarters = prepared(tmp_path / f"a.{suffix}", image_size=8, crop="none")[..., 0] > 128
    assert quarters.sum() == 16
    assert quarters[corner[orientation]]


def test_rows_and_columns_change_places_when_the_exif_says_so(tmp_path):
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[:20] = 255
    for orientation, axis in ((1, 1), (5, 0)):
        exif = Image.Exif()
        exif[EXIF_ORIENTATION] = orientation
        Image.fromarray(picture).save(tmp_path / "a.png", exif=exif)
        assert prepared(tmp_path / "a.png", image_size=8)[..., 0].std(axis=axis).max() == 0


def test_exif_that_cannot_be_read_leaves_the_pixels_alone(tmp_path):
    path = save_photograph(tmp_path / "a.jpg", 1)
    Image.fromarray(noise(1)).save(tmp_path / "b.jpg", exif=b"Exif\0\0no such thing")
    assert np.array_equal(prepared(tmp_path / "b.jpg"), prepared(path))


@pytest.mark.parametrize(
    ("mode", "name"), [("L", "a.png"), ("I;16", "a.png"), ("I;16", "a.tif"), ("L", "a.bmp"), ("L", "a.jpg")]
)
def test_grey_photographs_become_grey_rgb(tmp_path, mode, name):
    grey = np.asarray(Image.fromarray(noise(5, (64, 64))).convert("L")).astype(int)
    image = prepared(save_photograph(tmp_path / name, 5, size=(64, 64), mode=mode), image_size=64)
    assert (image == image[..., :1]).all()
    assert np.abs(image[..., 0] - grey).max() <= (16 if name == "a.jpg" else 0)


def test_black_and_white_becomes_black_and_white(tmp_path):
    image = prepared(save_photograph(tmp_path / "a.png", 5, size=(16, 16), mode="1"))
    assert set(np.unique(image)) == {0, 255}


@pytest.mark.parametrize(
    ("mode", "name", "mean_error"),
    [
        ("P", "a.png", 20),  # 32 colours
        ("RGBA", "a.png", 0),
        ("RGB", "a.bmp", 0),
        ("RGB", "a.tif", 0),
        ("CMYK", "a.tif", 0),
        ("CMYK", "a.jpg", 5),
        ("RGB", "a.jpg", 5),
    ],
)
def test_colour_photographs_of_every_kind_show_the_same(tmp_path, mode, name, mean_error):
    path = save_photograph(tmp_path / name, 5, size=(64, 64), mode=mode)
    assert np.abs(prepared(path, image_size=64).astype(int) - noise(5, (64, 64))).mean() <= mean_error


def test_transparent_palette_is_read_without_a_warning(tmp_path, recwarn):
    Image.fromarray(noise(1)).quantize(8).save(tmp_path / "a.png", transparency=bytes([0, 128, 255]))
    assert prepared(tmp_path / "a.png").shape == (16, 16, 3)
    assert not recwarn.list


def test_levels_whose_range_is_unknown_are_refused():
    for levels in (np.zeros((8, 8), np.float32), np.full((8, 8), 70_000, np.int32)):
        content = io.BytesIO()
        Image.fromarray(levels).save(content, "TIFF")
        with pytest.raises(ValueError, match="levels"):
            prepared(content)


@given(seed=st.integers(0, 2**32 - 1), side=st.integers(1, 40), dim=st.floats(0.02, 1))
def test_shades_of_gray_follows_the_formula(seed, side, dim):
    rng = np.random.default_rng(seed)
    image = (rng.integers(0, 256, (side, side, 3)) * [1, dim, dim**2]).astype(np.uint8)
    image[0, 0] = 255  # the formula divides by the light, which must not be black
    assert np.array_equal(shades_of_gray(image), under_grey_light(image))


def test_shades_of_gray_by_hand():
    # Even light of 100, 50, 25: |e| = 114.56, over the root of 3 = 66.14, so every channel becomes 66.
    image = np.full((2, 2, 3), [100, 50, 25], np.uint8)
    assert (shades_of_gray(image) == 66).all()


def test_shades_of_gray_removes_the_colour_of_the_light():
    scene = noise(8, (64, 64)) * 0.5
    under_white, under_red = scene.astype(np.uint8), (scene * [1.6, 0.9, 0.7]).astype(np.uint8)
    ratio = [shades_of_gray(image).mean((0, 1)) for image in (under_white, under_red)]
    red_over_blue = [mean[0] / mean[2] for mean in ratio]
    assert under_red.mean((0, 1))[0] / under_red.mean((0, 1))[2] > 1.8 * red_over_blue[0]
    assert red_over_blue[1] == pytest.approx(red_over_blue[0], rel=0.03)


def test_shades_of_gray_leaves_black_black():
    image = np.zeros((4, 4, 3), np.uint8)
    assert (shades_of_gray(image) == 0).all()
    image[..., 1] = 90
    assert (shades_of_gray(image)[..., [0, 2]] == 0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((7, "centre", "rgb"), r"(?s)7 x 7 pixels are too small.*dataset.image_size = 7.*8 or more.*fix:"),
        ((8, "corner", "rgb"), r"(?s)no crop.*'corner'.*dataset.crop = corner.*allowed: centre, none.*fix:"),
        (
            (8, "none", "grey"),
            r"(?s)no colour handling.*dataset.colour = grey.*allowed: rgb, shades_of_gray.*fix:",
        ),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(QanaError, match=message):
        Preprocessing(*arguments)
