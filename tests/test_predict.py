"""`qana predict` before and after the program is asked; tests/test_convert.py asks a real one."""

import numpy as np
import pytest
from PIL import Image

from qana.command.image_arguments import image_files
from qana.command.occlusion import GRID, covered, occlusion_map, write_map
from qana.command.predict import main
from qana.errors import QanaError


@pytest.fixture
def photographs(tmp_path):
    (tmp_path / "more" / "deep").mkdir(parents=True)
    for name in ("b.png", "more/z.JPG", "more/deep/a.jpeg"):
        Image.new("RGB", (40, 30), (200, 100, 50)).save(tmp_path / name, format="JPEG")
    (tmp_path / "more" / "notes.txt").write_text("no image")
    return tmp_path


def test_folders_give_their_images_in_order(photographs):
    found = image_files([str(photographs / "b.png"), str(photographs / "more")])
    assert [path.relative_to(photographs).as_posix() for path in found] == [
        "b.png",
        "more/deep/a.jpeg",
        "more/z.JPG",
    ]


def test_names_that_lead_nowhere_are_all_told(photographs):
    (photographs / "empty").mkdir()
    with pytest.raises(QanaError, match=r"2 of the images cannot be found") as caught:
        image_files([str(photographs / "nowhere.png"), str(photographs / "empty")])
    assert "nowhere.png" in str(caught.value)
    assert "empty (no images in it)" in str(caught.value)


def test_every_part_is_covered_once_with_the_mean_colour():
    image = np.random.default_rng(0).integers(0, 256, (33, 33, 3), dtype=np.uint8)
    copies = covered(image)
    changed = (copies != image).any(axis=3).sum(axis=0)
    mean = image.reshape(-1, 3).mean(axis=0).round()
    assert copies.shape == (GRID * GRID, 33, 33, 3)
    assert changed.max() == 1
    np.testing.assert_array_equal(copies[0, 0, 0], mean)


def test_map_is_largest_where_covering_costs_most(tmp_path):
    parts = np.full(GRID * GRID, 0.9)
    parts[3 * GRID + 5] = 0.2
    falls = occlusion_map(0.9, parts)
    write_map(tmp_path / "map.png", np.full((32, 32, 3), 128, dtype=np.uint8), falls)
    drawn = np.asarray(Image.open(tmp_path / "map.png")).astype(int)
    red = drawn[..., 0] - drawn[..., 1]
    row, column = np.unravel_index(red.argmax(), red.shape)
    assert np.unravel_index(falls.argmax(), falls.shape) == (3, 5)
    assert (row * GRID // len(red), column * GRID // len(red)) == (3, 5)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["model.fbz"], "nothing to answer about"),
        (["format=csv"], "no model"),
        (["model.fbz", "b.png", "views=3"], "views cannot be '3'"),
        (["model.fbz", "b.png", "format=xml"], "format cannot be 'xml'"),
        (["model.fbz", "b.png", "reject=1.5"], "'1.5' is no confidence"),
        (["model.fbz", "b.png", "rejects=1"], "does not know rejects=1"),
        (["model.fbz", "b.png", "out=a.csv"], "nothing can be written to a.csv"),
        (["model.fbz", "b.png", "format=csv", "out=no/a.csv"], "nothing can be written to no/a.csv"),
        (["model.fbz", "b.png"], r"there is no program model\.fbz"),
        (["lost.fbz", "lost.png"], r"cannot be found: lost\.png"),
        (["3f2a", "b.png"], "no runs are kept"),
    ],
)
def test_faults_of_the_command_line_are_named(photographs, monkeypatch, arguments, what):
    monkeypatch.chdir(photographs)
    with pytest.raises(QanaError, match=what):
        main(arguments)


def test_program_without_its_card_is_refused(photographs, monkeypatch):
    monkeypatch.chdir(photographs)
    (photographs / "model.fbz").write_bytes(b"program")
    with pytest.raises(QanaError, match=r"model\.json is missing"):
        main(["model.fbz", "b.png"])
