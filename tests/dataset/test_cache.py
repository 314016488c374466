import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photographs import decoded_directly, save_photograph, save_photographs
from PIL import Image
from watched_files import PREPROCESSING, WatchedFiles, build

from qana.dataset.audit.image_tone import image_tone_ita_deg
from qana.dataset.audit.perceptual_hash import perceptual_hash
from qana.dataset.pixels.cache import FORMAT
from qana.dataset.pixels.image_files import ImageFiles
from qana.dataset.pixels.preprocessing import Preprocessing
from qana.errors import QanaError

KINDS = [
    ("jpg", "RGB"),
    ("jpg", "L"),
    ("jpg", "CMYK"),
    ("png", "P"),
    ("png", "I;16"),
    ("tif", "RGB"),
    ("bmp", "RGB"),
]


@pytest.fixture
def files(tmp_path):
    """70 images: three blocks of rows."""
    paths = save_photographs(tmp_path / "images", 70)
    return WatchedFiles(tmp_path / "images", paths, tmp_path / "log")


@pytest.fixture
def cache_dir(tmp_path):
    return tmp_path / "cache"


def directly(files, preprocessing=PREPROCESSING):
    size, crop, colour = preprocessing.image_size, preprocessing.crop, preprocessing.colour
    return np.stack(
        [decoded_directly(path, image_size=size, crop=crop, colour=colour) for path in files.paths]
    )


def folders_in(cache_dir):
    return [path for path in cache_dir.iterdir() if path.is_dir()]


def cache_folder(cache_dir):
    (folder,) = folders_in(cache_dir)
    return folder


def image_file(cache_dir):
    return cache_folder(cache_dir) / "images.npy"


def edit(path, change):
    content = bytearray(path.read_bytes())
    path.write_bytes(change(content) or content)


def flip_a_bit(content):
    content[len(content) * 2 // 3] ^= 4


def set_time(path, seconds_later):
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + int(seconds_later * 1e9)))


@settings(max_examples=25)
@given(
    photographs=st.lists(
        st.tuples(
            st.sampled_from(KINDS),
            st.integers(1, 90),
            st.integers(1, 90),
            st.integers(1, 8),
            st.integers(0, 99),
        ),
        min_size=1,
        max_size=6,
    ),
    image_size=st.integers(8, 40),
    crop=st.sampled_from(["centre", "none"]),
    colour=st.sampled_from(["rgb", "shades_of_gray"]),
)
def test_cache_equals_direct_decoding_bit_for_bit(photographs, image_size, crop, colour):
    preprocessing = Preprocessing(image_size, crop, colour)
    with tempfile.TemporaryDirectory() as folder:
        root, cache_dir = Path(folder, "images"), Path(folder, "cache")
        paths = [
            save_photograph(
                root / f"{n}.{suffix}", seed, size=(width, height), mode=mode, orientation=orientation
            )
            for n, ((suffix, mode), width, height, orientation, seed) in enumerate(photographs)
        ]
        files = ImageFiles(root, paths)
        expected = directly(files, preprocessing)
        built, opened = (build(files, cache_dir, preprocessing)[0] for _ in range(2))
        in_memory, _ = build(files, None, preprocessing)
        for decoded in (built, opened, in_memory):
            assert np.array_equal(decoded.images, expected)
            assert decoded.digest == built.digest
            assert np.array_equal(decoded.perceptual_hash, perceptual_hash(expected))
            assert np.allclose(
                decoded.tone_ita_deg, image_tone_ita_deg(expected), rtol=0, atol=1e-3, equal_nan=True
            )


def test_second_start_decodes_nothing_and_is_silent(files, cache_dir):
    first, _ = build(files, cache_dir)
    second, text = build(files, cache_dir)
    assert files.rows_decoded == list(range(70))
    assert np.array_equal(first.images, second.images)
    assert text == ""


def test_format_is_raised_whenever_pixels_or_facts_change(tmp_path):
    """Change these numbers only together with `FORMAT`, or old caches go on giving the old ones."""
    y, x = np.mgrid[:90, :120]
    lesion = (x - 55) ** 2 + 2 * (y - 50) ** 2 < 900
    photograph = [215, 170, 150] + (x // 6 - y // 9 - 60 * lesion)[..., None] * [2, 1, 1]
    Image.fromarray(photograph.clip(0, 255).astype(np.uint8)).save(tmp_path / "a.png")
    files = ImageFiles(tmp_path, [tmp_path / "a.png"])
    decoded, _ = build(files, None, Preprocessing(32, "centre", "rgb"))
    assert FORMAT == 1
    assert decoded.digest == "97d0af48595edfe0099bc232f368ce833c410b687ce9bafe1a46748cf148572a"
    assert hex(decoded.perceptual_hash[0]) == "0x616986865a5aa1a1"
    assert decoded.tone_ita_deg[0] == pytest.approx(56.02, abs=0.01)


def test_cached_images_are_mapped_and_cannot_be_written(files, cache_dir):
    decoded, _ = build(files, cache_dir)
    assert isinstance(decoded.images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        decoded.images[0] = 0


def test_cache_of_none_writes_no_file(files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    decoded, _ = build(files, None)
    assert np.array_equal(decoded.images, directly(files))
    assert sorted(tmp_path.rglob("*")) == sorted([*before, files.log])


def test_home_is_found(files, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    build(files, Path("~/kept"))
    assert folders_in(tmp_path / "kept")


@pytest.mark.parametrize(
    "other",
    [
        Preprocessing(9, "centre", "rgb"),
        Preprocessing(8, "none", "rgb"),
        Preprocessing(8, "centre", "shades_of_gray"),
    ],
)
def test_other_preprocessing_has_a_cache_of_its_own(files, cache_dir, other):
    build(files, cache_dir)
    decoded, _ = build(files, cache_dir, other)
    assert np.array_equal(decoded.images, directly(files, other))
    again, _ = build(files, cache_dir)
    assert np.array_equal(again.images, directly(files))
    assert len(files.rows_decoded) == 140


def test_other_files_have_a_cache_of_their_own(files, cache_dir, tmp_path):
    build(files, cache_dir)
    fewer = ImageFiles(files.root, files.paths[1:])
    reversed_files = ImageFiles(files.root, files.paths[::-1])
    assert np.array_equal(build(fewer, cache_dir)[0].images, directly(fewer))
    assert np.array_equal(build(reversed_files, cache_dir)[0].images, directly(reversed_files))
    assert len(folders_in(cache_dir)) == 3


@pytest.mark.parametrize(
    ("name", "damage", "reason"),
    [
        ("images.npy", flip_a_bit, "images.npy is not as it was written"),
        ("images.npy", lambda content: content[:-1000], "images.npy is not as it was written"),
        ("images.npy", lambda content: content + b"\0", "images.npy is not as it was written"),
        ("images.npy", lambda content: content.replace(b"(70, 8", b"(35,16"), "images.npy has shape"),
        ("images.npy", lambda content: b"\0", "images.npy cannot be read"),
        ("facts.npz", flip_a_bit, "facts.npz is not as it was written"),
        (
            "manifest.json",
            lambda content: content.replace(b"000.jpg", b"0O0.jpg"),
            "its manifest has been edited",
        ),
        ("manifest.json", lambda content: content[:-1], "its manifest cannot be read"),
        ("manifest.json", lambda content: b"[]", "its manifest cannot be read"),
    ],
)
def test_damaged_cache_is_rebuilt_and_said_why(files, cache_dir, name, damage, reason):
    build(files, cache_dir)
    edit(cache_folder(cache_dir) / name, damage)
    decoded, text = build(files, cache_dir)
    assert f"decode images: building the cache of decoded images anew: {reason}" in text
    assert np.array_equal(decoded.images, directly(files))
    assert len(files.rows_decoded) == 140
    assert build(files, cache_dir)[1] == ""
    assert len(files.rows_decoded) == 140


@pytest.mark.parametrize("name", ["images.npy", "facts.npz", "manifest.json"])
def test_incomplete_cache_is_rebuilt(files, cache_dir, name):
    build(files, cache_dir)
    (cache_folder(cache_dir) / name).unlink()
    decoded, text = build(files, cache_dir)
    assert "building the cache of decoded images anew" in text
    assert np.array_equal(decoded.images, directly(files))


def test_manifest_of_another_list_of_files_is_not_taken(files, cache_dir):
    build(files, cache_dir)
    folder = cache_folder(cache_dir)
    other = ImageFiles(files.root, files.paths[::-1])
    build(other, cache_dir)
    (other_folder,) = (path for path in folders_in(cache_dir) if path != folder)
    for name in ("images.npy", "facts.npz", "manifest.json"):
        (folder / name).write_bytes((other_folder / name).read_bytes())
    decoded, text = build(files, cache_dir)
    assert "it lists other files" in text
    assert np.array_equal(decoded.images, directly(files))


def test_touched_files_of_equal_content_are_accepted_and_not_read_a_third_time(files, cache_dir):
    build(files, cache_dir)
    for path in files.paths[3:5]:
        set_time(path, 5)
    decoded, text = build(files, cache_dir)
    assert len(files.rows_decoded) == 70
    assert "check files" in text
    assert "2/2" in text
    assert np.array_equal(decoded.images, directly(files))
    assert build(files, cache_dir)[1] == ""


def test_changed_file_of_equal_size_is_decoded_anew(files, cache_dir):
    build(files, cache_dir)
    with files.paths[9].open("r+b") as file:  # a bit of the picture, far behind the tables
        file.seek(-20, os.SEEK_END)
        byte = file.read(1)[0]
        file.seek(-20, os.SEEK_END)
        file.write(bytes([byte ^ 0x10]))
    set_time(files.paths[9], 5)
    decoded, text = build(files, cache_dir)
    assert "1 files have changed: 009.jpg" in text
    assert np.array_equal(decoded.images, directly(files))
    assert len(files.rows_decoded) == 140


def test_file_that_is_fetched_again_is_decoded(files, cache_dir):
    whole = files.paths[40].read_bytes()
    files.paths[40].write_bytes(whole[:300])
    first, _ = build(files, cache_dir)
    assert list(first.problems) == [40]
    assert not first.images[40].any()
    files.paths[40].write_bytes(whole)
    second, _ = build(files, cache_dir)
    assert second.problems == {}
    assert np.array_equal(second.images, directly(files))


class UnsteadyFiles(ImageFiles):
    """Cannot reach some rows, as when a disk of another machine is away."""

    away: tuple[int, ...] = ()

    def decode(self, rows, out, preprocessing):
        problems = super().decode(rows, out, preprocessing)
        lost = [row for row in rows.tolist() if row in self.away]
        out[np.isin(rows, lost)] = 0
        return {**problems, **dict.fromkeys(lost, "away")}


def test_rows_with_problems_are_tried_again_and_only_these(files, cache_dir):
    unsteady = UnsteadyFiles(files.root, files.paths)
    unsteady.away = (2, 69)
    for _ in range(2):
        decoded, text = build(unsteady, cache_dir)
        assert decoded.problems == {2: "away", 69: "away"}
        assert "anew" not in text
    inode = image_file(cache_dir).stat().st_ino
    unsteady.away = (69,)
    decoded, text = build(unsteady, cache_dir)
    assert "1 images can be read now that could not be" in text
    assert decoded.problems == {69: "away"}
    assert np.array_equal(decoded.images[:69], directly(files)[:69])
    assert image_file(cache_dir).stat().st_ino != inode


def test_files_that_come_and_go_are_an_error_and_not_a_crash(files, cache_dir):
    class ComeAndGo(UnsteadyFiles):
        def decode(self, rows, out, preprocessing):
            problems = super().decode(rows, out, preprocessing)
            self.away = () if 5 in problems else (5,)
            return problems

    flickering = ComeAndGo(files.root, files.paths[:10])
    flickering.away = (5,)
    with pytest.raises(
        QanaError, match=r"(?s)just after it was built: 1 images can.*dataset.cache_dir = .*allowed:.*fix:"
    ):
        build(flickering, cache_dir)


class VanishingFile(ImageFiles):
    def decode(self, rows, out, preprocessing):
        if 32 in rows:
            out[:] = 7
            raise FileNotFoundError(2, "no such file")
        return super().decode(rows, out, preprocessing)


def test_file_of_many_rows_that_cannot_be_read_is_the_problem_of_its_rows(files, cache_dir):
    decoded, _ = build(VanishingFile(files.root, files.paths), cache_dir)
    assert decoded.problems == dict.fromkeys(range(32, 64), "no such file")
    assert not decoded.images[32:64].any()


def test_reader_keeps_its_images_while_the_cache_is_rebuilt(files, cache_dir):
    reader, _ = build(files, cache_dir)
    edit(cache_folder(cache_dir) / "facts.npz", flip_a_bit)
    build(files, cache_dir)
    assert np.array_equal(reader.images, directly(files))


def test_cache_dir_that_cannot_be_made_is_refused(files, tmp_path):
    (tmp_path / "file").touch()
    where = tmp_path / "file" / "cache"
    with pytest.raises(
        QanaError,
        match=rf"(?s)cannot be kept below {where}: .*where:   dataset.cache_dir = {where}\n"
        r".*allowed: a folder.*fix: .*dataset.cache_dir=null",
    ):
        build(files, where)


def test_error_of_a_build_leaves_nothing_that_would_be_taken(files, cache_dir, monkeypatch):
    def fail(rows, out, preprocessing):
        raise RuntimeError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(files, "decode", fail)
        with pytest.raises(RuntimeError, match="a bug"):
            build(files, cache_dir)
    assert folders_in(cache_dir) == []
    assert np.array_equal(build(files, cache_dir)[0].images, directly(files))


def test_manifest_lists_the_content_of_every_file(files, cache_dir):
    build(files, cache_dir)
    manifest = json.loads((cache_folder(cache_dir) / "manifest.json").read_text())["manifest"]
    stamps = files.files()
    assert manifest["files"] == [
        [stamp.name, stamp.size, stamp.mtime_ns, files.sha256(row)] for row, stamp in enumerate(stamps)
    ]
