import hashlib
import io
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from source_arguments import SOURCE_ARGUMENTS, images_by_id

from qana.dataset import DermaMnist
from qana.dataset.pixels import npz_images
from qana.dataset.pixels.npz_images import NpzImages
from qana.dataset.pixels.preprocessing import Preprocessing
from qana.dataset.table.offenders import Offenders
from qana.errors import QanaError

# Labels 0 to 6 as `medmnist.INFO["dermamnist"]["label"]` names them, and what HAM10000 calls the same.
PUBLISHED = {
    "actinic keratoses and intraepithelial carcinoma": "akiec",
    "basal cell carcinoma": "bcc",
    "benign keratosis-like lesions": "bkl",
    "dermatofibroma": "df",
    "melanoma": "mel",
    "melanocytic nevi": "nv",
    "vascular lesions": "vasc",
}
COUNTS = {"train": 70, "val": 14, "test": 21}


def source(root, **chosen):
    arguments = {**SOURCE_ARGUMENTS, "protocol": "official", "crop": "none", "image_size": 28}
    return DermaMnist(root=str(root), **{**arguments, **chosen})


def read(root, **chosen):
    found = source(root, **chosen)
    offenders = Offenders(found.on_error)
    return found.read(offenders), {skipped.kind: skipped.names for skipped in offenders.skipped}


def arrays(size=28, seed=0):
    """As published: images (M, S, S, 3) uint8 and labels (M, 1) uint8."""
    rng = np.random.default_rng(seed)
    found = {}
    for side, count in COUNTS.items():
        found[f"{side}_images"] = rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
        found[f"{side}_labels"] = (np.arange(count) % 7).astype(np.uint8)[:, None]
    return found


def save(root, content, size=28):
    path = root / ("dermamnist.npz" if size == 28 else f"dermamnist_{size}.npz")
    np.savez_compressed(path, **content)
    return path


def test_labels_are_in_the_published_order():
    assert DermaMnist.classes == tuple(PUBLISHED.values())


def test_official_split_holds_the_published_images_and_labels(tmp_path):
    content = arrays()
    save(tmp_path, content)
    splits = source(tmp_path).load()
    assert (splits.group_key, splits.protocol) == (None, "official")
    for side, part in (("train", splits.train), ("val", splits.val), ("test", splits.test)):
        assert part.image_ids == tuple(f"{side}_{row:05d}" for row in range(COUNTS[side]))
        np.testing.assert_array_equal(np.asarray(part.images), content[f"{side}_images"])
        np.testing.assert_array_equal(part.target, content[f"{side}_labels"][:, 0])


def test_smallest_file_that_is_large_enough_is_read_and_resized(tmp_path):
    for size in (28, 64, 128):
        save(tmp_path, arrays(size), size)
    for image_size, name in ((28, "dermamnist.npz"), (29, "dermamnist_64.npz"), (64, "dermamnist_64.npz")):
        (stamp,) = read(tmp_path, image_size=image_size)[0].pixels.files()
        assert stamp.name == name
        assert stamp.size == (tmp_path / name).stat().st_size
    loaded = images_by_id(source(tmp_path, image_size=48).load())
    original = Image.fromarray(arrays(64)["val_images"][3])
    expected = np.asarray(original.resize((48, 48), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(loaded["val_00003"][0], expected)


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_files_that_are_too_small_missing_or_elsewhere_are_refused_always(tmp_path, on_error):
    with pytest.raises(QanaError, match="there is no folder"):
        read(tmp_path / "nowhere", on_error=on_error)
    with pytest.raises(QanaError, match="is empty"):
        read(tmp_path, on_error=on_error)
    (tmp_path / "readme.txt").write_text("")
    with pytest.raises(QanaError, match="holds no dermamnist file"):
        read(tmp_path, on_error=on_error)
    save(tmp_path, arrays())
    with pytest.raises(QanaError, match=r"holds dermamnist.npz, and nothing of 64 x 64 pixels") as caught:
        read(tmp_path, image_size=64, on_error=on_error)
    assert caught.value.allowed.startswith("dermamnist_64.npz or dermamnist_128.npz or dermamnist_224.npz")


def test_sizes_that_are_not_published_are_refused_before_reading():
    with pytest.raises(QanaError, match="no images of 225 x 225 pixels") as caught:
        source("nowhere", image_size=225)
    assert caught.value.allowed == "224 or less"


def test_lesion_protocol_is_refused_before_reading():
    with pytest.raises(QanaError, match="does not say which images show the same lesion") as caught:
        source("nowhere", protocol="lesion")
    assert caught.value.fix.startswith("dataset.protocol=official")


def test_image_protocol_splits_all_images_anew(tmp_path):
    save(tmp_path, arrays())
    splits = source(tmp_path, protocol="image").load()
    assert len({image.split("_")[0] for image in splits.train.image_ids}) == 3


@pytest.mark.parametrize("on_error", ["raise", "skip"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"val_labels": None}, "it lacks val_labels; it has train_images"),
        ({"val_images": np.zeros((14, 28, 28), np.uint8)}, r"val_images is \(14, 28, 28\) uint8 instead of"),
        (
            {"val_images": np.zeros((13, 28, 28, 3), np.uint8)},
            r"instead of \(14, 28, 28, 3\) uint8 for as many",
        ),
        ({"val_images": np.zeros((14, 64, 64, 3), np.uint8)}, r"val_images is \(14, 64, 64, 3\) uint8"),
        ({"val_images": np.zeros((14, 28, 28, 3))}, r"val_images is \(14, 28, 28, 3\) float64"),
        ({"val_labels": np.zeros((14, 7), np.uint8)}, r"val_labels is \(14, 7\) uint8"),
        ({"val_labels": np.zeros((14, 1))}, r"val_labels is \(14, 1\) float64"),
    ],
)
def test_a_file_that_is_not_as_published_is_refused_always(tmp_path, change, message, on_error):
    content = {name: each for name, each in {**arrays(), **change}.items() if each is not None}
    save(tmp_path, content)
    with pytest.raises(QanaError, match=f"dermamnist.npz is not as published: .*{message}") as caught:
        read(tmp_path, on_error=on_error)
    assert caught.value.where == f"dataset.root = {tmp_path}"


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_a_file_that_is_no_npz_is_refused_always(tmp_path, on_error):
    path = save(tmp_path, arrays())
    whole = path.read_bytes()
    stored = io.BytesIO()
    np.save(stored, np.zeros(3))
    pickled = io.BytesIO()
    np.savez(pickled, **{**arrays(), "val_labels": np.array([{}], dtype=object)})
    for content in (whole[:5000], b"", b"no archive", stored.getvalue(), pickled.getvalue()):
        path.write_bytes(content)
        with pytest.raises(QanaError, match=r"dermamnist.npz is not a readable npz file"):
            read(tmp_path, on_error=on_error)


def test_labels_that_mean_no_class(tmp_path):
    content = arrays()
    content["train_labels"][[2, 5], 0] = 7, 200
    save(tmp_path, content)
    with pytest.raises(
        QanaError, match=r"2 images .* unknown labels: train_00002 \(7\), train_00005 \(200\)"
    ):
        read(tmp_path)
    table, skipped = read(tmp_path, on_error="skip")
    assert skipped == {
        "images of dermamnist.npz with unknown labels": ("train_00002 (7)", "train_00005 (200)")
    }
    assert len(table) == sum(COUNTS.values()) - 2
    loaded = images_by_id(source(tmp_path, on_error="skip").load())
    assert "train_00002" not in loaded
    np.testing.assert_array_equal(loaded["train_00003"][0], content["train_images"][3])


def test_another_choice_of_rows_is_not_taken_for_the_same_files(tmp_path):
    content = arrays()
    save(tmp_path, content)
    names = {read(tmp_path)[0].pixels.files()[0].name}
    for row in (2, 3):
        content["train_labels"][:] = 0
        content["train_labels"][row] = 9
        save(tmp_path, content)
        names.add(read(tmp_path, on_error="skip")[0].pixels.files()[0].name)
    assert len(names) == 3


def opened(path, count):
    places = [("train_images", row) for row in range(count)]
    return NpzImages(path.parent, path, places, choice="")


PLAIN = Preprocessing(28, "none", "rgb")


def decoded(pixels, rows):
    out = np.zeros((len(rows), 28, 28, 3), np.uint8)
    return out, pixels.decode(np.asarray(rows), out, PLAIN)


@pytest.mark.parametrize("save_as", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("kept_bytes", [0, 1 << 30])
def test_rows_are_right_in_any_order_from_several_threads(tmp_path, monkeypatch, save_as, kept_bytes):
    monkeypatch.setattr(npz_images, "KEPT_BYTES", kept_bytes)
    monkeypatch.setattr(npz_images, "BLOCK_ROWS", 8)
    content = arrays()["train_images"]
    path = tmp_path / "images.npz"
    save_as(path, train_images=content)
    pixels = opened(path, 70)
    order = np.random.default_rng(1).permutation(70).reshape(10, 7)
    with ThreadPoolExecutor(4) as pool:
        for rows, (out, problems) in zip(
            order, pool.map(lambda rows: decoded(pixels, rows), order), strict=True
        ):
            assert problems == {}
            np.testing.assert_array_equal(out, content[rows])
    assert pixels.sha256(0) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_memory_stays_bounded_while_the_rows_pass(tmp_path, monkeypatch):
    monkeypatch.setattr(npz_images, "KEPT_BYTES", 3 * 8 * 28 * 28 * 3)
    monkeypatch.setattr(npz_images, "BLOCK_ROWS", 8)
    path = save(tmp_path, arrays())
    pixels = opened(path, 70)
    for row in range(70):
        decoded(pixels, [row])
        assert len(pixels._arrays._blocks) <= 3


def test_damage_inside_the_file_is_a_problem_of_the_rows_behind_it(tmp_path, monkeypatch):
    monkeypatch.setattr(npz_images, "BLOCK_ROWS", 8)
    path = tmp_path / "images.npz"
    content = np.random.default_rng(0).integers(0, 256, (70, 28, 28, 3), dtype=np.uint8)
    np.savez_compressed(path, train_images=content)
    raw = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        middle = archive.infolist()[0].compress_size // 2
    raw[middle : middle + 200] = bytes(200)
    path.write_bytes(raw)
    pixels = opened(path, 70)
    out, problems = decoded(pixels, range(70))
    assert 0 not in problems
    assert 69 in problems
    assert all("images.npz is damaged" in reason for reason in problems.values())
    assert not out[69].any()
