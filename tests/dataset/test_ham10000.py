import csv

import numpy as np
import pytest
from PIL import Image

from qana.dataset import Ham10000
from qana.errors import QanaError

HEADER = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")
CLASSES = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")


def source(root, **chosen):
    arguments = {
        "root": str(root),
        "image_size": 16,
        "crop": "centre",
        "val_fraction": 0.2,
        "test_fraction": 0.2,
        "seed": 0,
    }
    return Ham10000(**{**arguments, **chosen})


def rows_of_every_class():
    """Five lesions of each class, the first photographed twice."""
    return [
        (f"HAM_{dx}{lesion}", f"ISIC_{dx}{lesion}{photo}", dx)
        for dx in CLASSES
        for lesion in range(5)
        for photo in range(2 if lesion == 0 else 1)
    ]


def write_table(path, rows, header=HEADER):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows([*row, "histo", "50.0", "male", "back"][: len(header)] for row in rows)


def save_image(path, level, size=(40, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (level, 2 * level, 3 * level)).save(path, quality=95)


@pytest.fixture
def root(tmp_path):
    rows = rows_of_every_class()
    write_table(tmp_path / "HAM10000_metadata.csv", rows)
    for number, (_, image_id, _) in enumerate(rows):
        save_image(tmp_path / f"part_{number % 2}" / "deep" / f"{image_id}.jpg", number)
    return tmp_path


def by_image_id(splits):
    return {
        name: (image, int(label), lesion)
        for part in (splits.train, splits.val, splits.test)
        for image, label, name, lesion in zip(
            part.images, part.target, part.image_ids, part.lesion_ids, strict=True
        )
    }


def test_every_row_gets_its_own_image_label_and_lesion(root):
    splits = source(root).load()
    loaded = by_image_id(splits)
    assert (splits.name, splits.classes, splits.leaked_groups) == ("ham10000", CLASSES, 0)
    assert splits.image_shape == (16, 16, 3)
    for number, (lesion, image_id, dx) in enumerate(rows_of_every_class()):
        image, label, loaded_lesion = loaded[image_id]
        assert np.abs(image.astype(int) - [number, 2 * number, 3 * number]).max() <= 4  # JPEG
        assert (CLASSES[label], loaded_lesion) == (dx, lesion)


def test_row_order_of_the_table_changes_nothing(root):
    before = source(root).load()
    write_table(root / "HAM10000_metadata.csv", rows_of_every_class()[::-1])
    after = source(root).load()
    assert before.fingerprint == after.fingerprint
    assert before.test.image_ids == after.test.image_ids


def test_table_named_as_on_dataverse_upper_case_suffix_and_copies_are_accepted(root):
    before = source(root).load()
    (root / "HAM10000_metadata.csv").rename(root / "HAM10000_metadata")
    image = next(root.rglob("*.jpg"))
    (root / "copies").mkdir()
    (root / "copies" / image.name).write_bytes(image.read_bytes())
    image.rename(image.with_suffix(".JPG"))
    save_image(root / "not_in_the_table.jpg", 9)
    assert source(root).load().fingerprint == before.fingerprint


def test_crop_centre_keeps_the_middle_and_crop_none_keeps_the_sides(root):
    image_id = rows_of_every_class()[0][1]
    (path,) = root.rglob(f"{image_id}.jpg")
    picture = np.zeros((90, 150, 3), np.uint8)
    picture[:, :30] = picture[:, -30:] = 255  # 30 + 90 + 30: all white lies outside the middle square
    Image.fromarray(picture).save(path, quality=100)
    centre = by_image_id(source(root).load())[image_id][0].mean((0, 2))
    whole = by_image_id(source(root, crop="none").load())[image_id][0].mean((0, 2))
    assert centre[2:-2].max() < 10
    assert whole[:2].min() > 245
    assert whole[-2:].min() > 245
    assert whole[5:-5].max() < 10


def test_grey_photographs_become_rgb(root):
    image_id = rows_of_every_class()[0][1]
    (path,) = root.rglob(f"{image_id}.jpg")
    Image.new("L", (40, 30), 77).save(path)
    assert np.abs(by_image_id(source(root).load())[image_id][0].astype(int) - 77).max() <= 1


def refused(root, match):
    return pytest.raises(QanaError, match=rf"(?s){match}.*where:   dataset\.root = {root}")


def test_missing_root_is_refused(tmp_path):
    with refused(tmp_path / "nowhere", "there is no folder"):
        source(tmp_path / "nowhere").load()


def test_root_without_images_is_refused(tmp_path):
    write_table(tmp_path / "HAM10000_metadata.csv", rows_of_every_class())
    with refused(tmp_path, "there is no image below"):
        source(tmp_path).load()


def test_missing_table_is_refused(root):
    (root / "HAM10000_metadata.csv").unlink()
    with refused(root, "no table of diagnoses.*") as caught:
        source(root).load()
    assert "HAM10000_metadata.csv or HAM10000_metadata" in caught.value.allowed


def test_missing_columns_are_all_named(root):
    write_table(
        root / "HAM10000_metadata.csv", rows_of_every_class(), header=("lesion", "image_id", "diagnosis")
    )
    with refused(root, "lacks the columns lesion_id, dx; it has lesion, image_id, diagnosis"):
        source(root).load()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a CSV table"),
        (b"\xff\xd8\xff\xe0 not text", "is not a CSV table"),
        (b'a,b\n"open', "is not a CSV table"),
        (b"lesion_id,image_id,dx\n", "has no rows"),
    ],
)
def test_table_that_is_none_is_refused(root, content, message):
    (root / "HAM10000_metadata.csv").write_bytes(content)
    with refused(root, message):
        source(root).load()


def test_rows_with_empty_cells_are_all_listed(root):
    text = "lesion_id,image_id,dx\na,b,nv\n,c,nv\nd, ,\ne\n"
    (root / "HAM10000_metadata.csv").write_text(text)
    with refused(
        root, "3 rows with empty cells: line 3: lesion_id, line 4: image_id, dx, line 5: image_id, dx"
    ):
        source(root).load()


def test_unknown_diagnoses_are_all_listed(root):
    rows = [*rows_of_every_class(), ("x", "x1", "scc"), ("x", "x2", "scc"), ("y", "y1", "NV")]
    write_table(root / "HAM10000_metadata.csv", rows)
    with refused(root, r"unknown diagnoses in dx: 'scc' \(2 rows\), 'NV' \(1 rows\)"):
        source(root).load()


def test_rows_without_image_are_all_listed(root):
    for name in ("ISIC_akiec00", "ISIC_vasc40"):
        next(root.rglob(f"{name}.jpg")).unlink()
    with refused(root, "2 of 42 images of the table have no file: ISIC_akiec00, ISIC_vasc40"):
        source(root).load()


def test_different_files_of_one_name_are_refused(root):
    save_image(root / "other" / "ISIC_nv10.jpg", 3, size=(200, 90))
    with refused(root, r"1 images have several, different files: ISIC_nv10 \("):
        source(root).load()


def test_damaged_images_are_all_listed(root):
    whole = next(root.rglob("ISIC_bcc00.jpg"))
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(whole)
    whole.write_bytes(whole.read_bytes()[:-800])
    next(root.rglob("ISIC_mel20.jpg")).write_bytes(b"no picture")
    next(root.rglob("ISIC_nv30.jpg")).write_bytes(b"")
    with refused(
        root, r"3 image files cannot be read: ISIC_bcc00.jpg \(.*ISIC_mel20.jpg \(.*ISIC_nv30.jpg \("
    ):
        source(root).load()


def test_repeated_image_ids_are_all_listed(root):
    rows = rows_of_every_class()
    write_table(root / "HAM10000_metadata.csv", [*rows, rows[3], rows[1], rows[1]])
    with refused(root, rf"names 2 images more than once: {rows[1][1]} \(3 rows\), {rows[3][1]} \(2 rows\)"):
        source(root).load()


def test_lesions_with_two_diagnoses_are_all_listed(root):
    rows = rows_of_every_class()
    rows[0] = (rows[0][0], rows[0][1], "nv")
    rows[-1] = ("HAM_nv1", rows[-1][1], "vasc")
    write_table(root / "HAM10000_metadata.csv", rows)
    with refused(root, r"2 lesions more than one diagnosis: HAM_akiec0 \(akiec, nv\), HAM_nv1 \(nv, vasc\)"):
        source(root).load()


def test_a_class_without_lesions_is_refused(root):
    write_table(root / "HAM10000_metadata.csv", [row for row in rows_of_every_class() if row[2] != "df"])
    with pytest.raises(QanaError, match=r"too few lesions to split: df \(0\)"):
        source(root).load()


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"image_size": 0}, "dataset.image_size = 0"),
        ({"crop": "corner"}, "dataset.crop = corner\n.*allowed: centre, none"),
        ({"test_fraction": 0.0}, "dataset.test_fraction = 0.0"),
    ],
)
def test_arguments_out_of_range_are_refused_before_reading(chosen, message):
    with pytest.raises(QanaError, match=message):
        source("nowhere", **chosen)
