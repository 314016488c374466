import hashlib
import os
import warnings

import numpy as np
import pytest
from photographs import decoded_directly, save_photograph, save_photographs

from qana.dataset.pixels.image_files import ImageFiles
from qana.dataset.pixels.image_index import find_images, match_images
from qana.dataset.pixels.preprocessing import Preprocessing
from qana.dataset.table.offenders import Offenders
from qana.errors import QanaError

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif"}


def decode(files, rows):
    out = np.zeros((len(rows), 16, 16, 3), np.uint8)
    return out, files.decode(np.array(rows), out, Preprocessing(16, "centre", "rgb"))


def problem_of(path):
    return decode(ImageFiles(path.parent, [path]), [0])[1][0]


def test_rows_are_decoded_in_the_order_asked(tmp_path):
    paths = save_photographs(tmp_path, 4)
    images, problems = decode(ImageFiles(tmp_path, paths), [2, 0, 3])
    expected = [decoded_directly(paths[row], image_size=16, crop="centre") for row in (2, 0, 3)]
    assert np.array_equal(images, expected)
    assert problems == {}


def test_stamps_name_the_files_relative_to_the_root(tmp_path):
    paths = save_photographs(tmp_path / "root" / "part_1", 2) + save_photographs(tmp_path / "elsewhere", 1)
    stamps = ImageFiles(tmp_path / "root", paths).files()
    assert [stamp.name for stamp in stamps] == ["part_1/000.jpg", "part_1/001.jpg", "../elsewhere/000.jpg"]
    assert [(stamp.path, stamp.size, stamp.mtime_ns) for stamp in stamps] == [
        (path, path.stat().st_size, path.stat().st_mtime_ns) for path in paths
    ]


def test_stamp_of_a_missing_file_says_so(tmp_path):
    (stamp,) = ImageFiles(tmp_path, [tmp_path / "a.jpg"]).files()
    assert (stamp.name, stamp.size, stamp.mtime_ns) == ("a.jpg", -1, -1)


def test_content_is_fingerprinted_as_it_is_decoded(tmp_path):
    paths = save_photographs(tmp_path, 2)
    files = ImageFiles(tmp_path, paths)
    decode(files, [0, 1])
    contents = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    assert [files.sha256(0), files.sha256(1)] == contents
    paths[0].unlink()
    decode(files, [0])
    assert files.sha256(0) == ""


def test_bad_files_are_zeros_with_a_reason_and_good_ones_are_not_affected(tmp_path):
    good, empty, text, missing, folder = (tmp_path / f"{name}.jpg" for name in "abcde")
    save_photograph(good, 1)
    empty.write_bytes(b"")
    text.write_text("no picture")
    folder.mkdir()
    images, problems = decode(ImageFiles(tmp_path, [empty, good, text, missing, folder]), range(5))
    assert problems == {
        0: "empty file",
        2: "no JPEG, PNG, BMP, TIFF or WEBP image",
        3: os.strerror(2),
        4: os.strerror(21),
    }
    assert np.array_equal(images[1], decoded_directly(good, image_size=16, crop="centre"))
    assert not images[[0, 2, 3, 4]].any()


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.bmp", "a.tif"])
def test_file_cut_anywhere_is_a_problem_and_not_an_image(tmp_path, name):
    warnings.filterwarnings("ignore", "Truncated File Read", module="PIL")
    whole = save_photograph(tmp_path / name, 1, size=(80, 60)).read_bytes()
    for share in (0.01, 0.1, 0.5, 0.9):
        (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
        assert problem_of(tmp_path / name)


def test_truncated_photograph_is_called_truncated(tmp_path):
    path = save_photograph(tmp_path / "a.jpg", 1, size=(400, 300))
    path.write_bytes(path.read_bytes()[:-1000])
    assert "truncated" in problem_of(path)


def test_file_that_claims_to_be_enormous_is_not_unpacked(tmp_path):
    path = save_photograph(tmp_path / "a.bmp", 1)
    content = bytearray(path.read_bytes())
    content[18:26] = (40_000).to_bytes(4, "little") * 2  # width and height
    path.write_bytes(content)
    assert "decompression bomb" in problem_of(path)


def test_images_are_found_in_any_folder_by_any_suffix(tmp_path):
    names = ["HAM10000_images_part_1/a.jpg", "HAM10000_images_part_2/b.JPG", "c.png", "x/y/d.jpeg", "e.tif"]
    for name in [*names, "table.csv", "f.gif"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = find_images(tmp_path, SUFFIXES)
    assert found == {(tmp_path / name).stem: [tmp_path / name] for name in names}
    assert sorted(find_images(tmp_path, {".jpg"})) == ["a", "b"]


def test_linked_folders_are_followed_once(tmp_path):
    save_photograph(tmp_path / "store" / "a.jpg", 1)
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "images").symlink_to(tmp_path / "store")
    (tmp_path / "store" / "back").symlink_to(tmp_path / "root")
    assert find_images(tmp_path / "root", SUFFIXES) == {"a": [tmp_path / "root" / "images" / "a.jpg"]}


def test_folder_without_images_is_refused(tmp_path):
    (tmp_path / "readme.txt").touch()
    with pytest.raises(
        QanaError, match=rf"(?s)no image below {tmp_path}\n.*dataset.root = .*\.bmp or \.jpg.*fix:"
    ):
        find_images(tmp_path, {".jpg", ".bmp"})


def test_copies_are_one_file_and_different_ones_an_offence(tmp_path):
    for folder in ("one", "two"):
        save_photograph(tmp_path / folder / "copy.jpg", 1)
        save_photograph(tmp_path / folder / f"only_{folder}.jpg", 2)
    (tmp_path / "one" / "changed.jpg").write_bytes(b"\xff\xd8 one")
    (tmp_path / "two" / "changed.jpg").write_bytes(b"\xff\xd8 two")
    save_photograph(tmp_path / "one" / "resized.jpg", 3, size=(40, 30))
    save_photograph(tmp_path / "two" / "resized.png", 3, size=(20, 15))
    found = find_images(tmp_path, SUFFIXES)
    ids = ["only_two", "copy", "resized", "changed", "only_one"]
    offenders = Offenders("skip")
    assert list(match_images(tmp_path, ids, found, offenders).items()) == [
        ("only_two", tmp_path / "two" / "only_two.jpg"),
        ("copy", tmp_path / "one" / "copy.jpg"),
        ("only_one", tmp_path / "one" / "only_one.jpg"),
    ]
    (skipped,) = offenders.skipped
    assert skipped.kind == "images have several, different files"
    assert [name.split()[0] for name in skipped.names] == ["resized", "changed"]
    with pytest.raises(QanaError, match=r"2 images have several, different files: resized \(.*two/changed"):
        match_images(tmp_path, ids, found, Offenders("raise"))


def test_ids_without_a_file_are_all_listed(tmp_path):
    save_photograph(tmp_path / "a.jpg", 1)
    found, offenders = find_images(tmp_path, SUFFIXES), Offenders("skip")
    with pytest.raises(
        QanaError, match=rf"(?s)2 of 3 images of the table have no file: b, c.*dataset.root = {tmp_path}"
    ):
        match_images(tmp_path, ["b", "a", "c"], found, Offenders("raise"))
    assert list(match_images(tmp_path, ["b", "a", "c"], found, offenders)) == ["a"]
    assert offenders.skipped[0].names == ("b", "c")
