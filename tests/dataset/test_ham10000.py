import csv

import numpy as np
import pytest
from PIL import Image
from source_arguments import SOURCE_ARGUMENTS, images_by_id, skipped_names

from qana.dataset import Ham10000
from qana.dataset.table.offenders import Offenders
from qana.errors import QanaError

HEADER = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")
CLASSES = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
TABLE = "HAM10000_metadata.csv"


def source(root, **chosen):
    return Ham10000(root=str(root), **{**SOURCE_ARGUMENTS, **chosen})


def read(root, **chosen):
    """The table of the source, and what was left out."""
    found = source(root, **chosen)
    offenders = Offenders(found.on_error)
    return found.read(offenders), {skipped.kind: skipped.names for skipped in offenders.skipped}


def rows_of_every_class():
    """Five lesions of each class, the first photographed twice."""
    return [
        (f"HAM_{dx}{lesion}", f"ISIC_{dx}{lesion}{photo}", dx)
        for dx in CLASSES
        for lesion in range(5)
        for photo in range(2 if lesion == 0 else 1)
    ]


def write_table(path, rows, header=HEADER, delimiter=","):
    rest = ("histo", "50.0", "male", "back")
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(header)
        writer.writerows([*row, *rest[len(row) - 3 :]][: len(header)] for row in rows)


def save_image(path, level, size=(40, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (level, 2 * level, 3 * level)).save(path, quality=95)


@pytest.fixture
def root(tmp_path):
    rows = rows_of_every_class()
    write_table(tmp_path / TABLE, rows)
    for number, (_, image_id, _) in enumerate(rows):
        save_image(tmp_path / f"HAM10000_images_part_{1 + number % 2}" / f"{image_id}.jpg", number)
    return tmp_path


def test_every_row_gets_its_own_image_label_and_lesion(root):
    splits = source(root).load()
    loaded = images_by_id(splits)
    assert (splits.name, splits.classes, splits.leaked_groups) == ("ham10000", CLASSES, 0)
    assert splits.image_shape == (16, 16, 3)
    assert splits.group_key == "lesion_id"
    for number, (lesion, image_id, dx) in enumerate(rows_of_every_class()):
        image, label, loaded_lesion = loaded[image_id]
        assert np.abs(image.astype(int) - [number, 2 * number, 3 * number]).max() <= 4  # JPEG
        assert (label, loaded_lesion) == (dx, lesion)


def test_row_order_of_the_table_changes_nothing(root):
    before = source(root).load()
    write_table(root / TABLE, rows_of_every_class()[::-1])
    after = source(root).load()
    assert before.fingerprint == after.fingerprint
    assert before.test.image_ids == after.test.image_ids


@pytest.mark.parametrize(
    ("name", "delimiter"),
    [("HAM10000_metadata", ","), ("HAM10000_metadata", "\t"), ("HAM10000_metadata.tab", "\t"), (TABLE, ";")],
)
def test_table_as_dataverse_and_kaggle_hand_it_out(root, name, delimiter):
    before, _ = read(root)
    (root / TABLE).unlink()
    (root / "dataverse_files").mkdir()
    write_table(root / "dataverse_files" / name, rows_of_every_class(), delimiter=delimiter)
    after, _ = read(root)
    assert (after.image_ids, after.groups) == (before.image_ids, before.groups)
    assert after.target.tolist() == before.target.tolist()


def test_flat_folder_upper_case_suffix_copies_and_other_images_are_accepted(root):
    before = source(root).load()
    for image in list(root.rglob("*.jpg")):
        image.rename(root / image.name)
    image = next(root.rglob("*.jpg"))
    (root / "copies").mkdir()
    (root / "copies" / image.name).write_bytes(image.read_bytes())
    image.rename(image.with_suffix(".JPG"))
    save_image(root / "not_in_the_table.jpg", 9)
    (root / "ISIC_nv00_segmentation.png").write_bytes(b"mask")
    assert source(root).load().fingerprint == before.fingerprint


def test_age_sex_and_place_are_kept(root):
    rows = [(*row, "histo") for row in rows_of_every_class()]
    rows[0] = (*rows[0], "", "unknown", "")
    rows[1] = (*rows[1], "35.0", "female", "scalp")
    write_table(root / TABLE, rows)
    table, _ = read(root)
    first, second = (table.image_ids.index(rows[place][1]) for place in (0, 1))
    assert np.isnan(table.attributes["age_years"][first])
    assert table.attributes["age_years"][second] == 35.0
    assert table.attributes["sex"][[first, second]].tolist() == ["unknown", "female"]
    assert table.attributes["localization"][[first, second]].tolist() == ["unknown", "scalp"]
    assert set(table.attributes["dx_type"]) == {"histo"}


def test_table_without_age_sex_and_place_has_no_attributes(root):
    write_table(root / TABLE, rows_of_every_class(), header=HEADER[:3])
    assert dict(read(root)[0].attributes) == {}


def test_crop_centre_keeps_the_middle_and_crop_none_keeps_the_sides(root):
    image_id = rows_of_every_class()[0][1]
    (path,) = root.rglob(f"{image_id}.jpg")
    picture = np.zeros((90, 150, 3), np.uint8)
    picture[:, :30] = picture[:, -30:] = 255  # 30 + 90 + 30: all white lies outside the middle square
    Image.fromarray(picture).save(path, quality=100)
    centre = images_by_id(source(root).load())[image_id][0].mean((0, 2))
    whole = images_by_id(source(root, crop="none").load())[image_id][0].mean((0, 2))
    assert centre[2:-2].max() < 10
    assert whole[:2].min() > 245
    assert whole[-2:].min() > 245
    assert whole[5:-5].max() < 10


def refused(root, match):
    return pytest.raises(QanaError, match=rf"(?s){match}.*where:   dataset\.root = {root}")


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_missing_and_empty_roots_are_refused_always(tmp_path, on_error):
    with refused(tmp_path / "nowhere", "there is no folder"):
        read(tmp_path / "nowhere", on_error=on_error)
    (tmp_path / "empty" / "folders").mkdir(parents=True)
    with refused(tmp_path / "empty", "is empty"):
        read(tmp_path / "empty", on_error=on_error)


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_root_without_images_or_without_table_is_refused_always(root, on_error):
    (root / TABLE).rename(root / "labels.csv")
    with refused(root, "no table of diagnoses") as caught:
        read(root, on_error=on_error)
    assert TABLE in caught.value.allowed
    (root / "labels.csv").rename(root / TABLE)
    for image in root.rglob("*.jpg"):
        image.unlink()
    with refused(root, "there is no image below"):
        read(root, on_error=on_error)


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_missing_columns_are_all_named_always(root, on_error):
    write_table(root / TABLE, rows_of_every_class(), header=("lesion", "image_id", "diagnosis"))
    with refused(root, "lacks the columns lesion_id, dx; it has lesion, image_id, diagnosis"):
        read(root, on_error=on_error)


@pytest.mark.parametrize("on_error", ["raise", "skip"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a CSV table"),
        (b"\xff\xd8\xff\xe0 not text", "is not a CSV table in utf-8: byte 0xff at position 0, line 1"),
        ("lesion_id,image_id,dx\nä,b,nv".encode("latin-1"), "byte 0xe4 at position 22, line 2"),
        (b'a,b\n"open', "is not a CSV table"),
        (b"lesion_id,image_id,dx\n", "has no rows"),
    ],
)
def test_table_that_is_none_is_refused_always(root, content, message, on_error):
    (root / TABLE).write_bytes(content)
    with refused(root, message):
        read(root, on_error=on_error)


def check_fault(root, *, message, kind, names, left_out):
    """The fault is an error that names all; under skip exactly these images are left out."""
    with refused(root, message):
        read(root)
    table, skipped = read(root, on_error="skip")
    assert skipped == {kind: names}
    expected = {image for _, image, _ in rows_of_every_class()} - set(left_out)
    assert set(table.image_ids) == expected
    assert len(table.pixels) == len(expected)


def test_rows_with_empty_cells(root):
    rows = rows_of_every_class()
    rows[3], rows[7] = ("", *rows[3][1:]), (rows[7][0], rows[7][1], " ")
    left_out = [rows_of_every_class()[place][1] for place in (3, 7)]
    write_table(root / TABLE, rows)
    with (root / TABLE).open("a") as file:
        file.write("short\n")
    check_fault(
        root,
        message="3 rows of .* with empty cells: line 5: lesion_id, line 9: dx, line 44: image_id, dx",
        kind="rows of HAM10000_metadata.csv with empty cells",
        names=("line 5: lesion_id", "line 9: dx", "line 44: image_id, dx"),
        left_out=left_out,
    )


def test_unknown_diagnoses(root):
    rows = [*rows_of_every_class(), ("x", "x1", "scc"), ("x", "x2", "scc"), ("y", "y1", "NV")]
    write_table(root / TABLE, rows)
    check_fault(
        root,
        message=r"3 images .* with unknown labels \('scc': 2, 'NV': 1\): x1 \('scc'\), x2 \('scc'\), y1",
        kind="images of HAM10000_metadata.csv with unknown labels ('scc': 2, 'NV': 1)",
        names=("x1 ('scc')", "x2 ('scc')", "y1 ('NV')"),
        left_out=[],
    )


def test_rows_without_image(root):
    gone = ["ISIC_akiec00", "ISIC_vasc40"]
    for name in gone:
        next(root.rglob(f"{name}.jpg")).unlink()
    check_fault(
        root,
        message="2 of 42 images of the table have no file: ISIC_akiec00, ISIC_vasc40",
        kind="of 42 images of the table have no file",
        names=tuple(gone),
        left_out=gone,
    )


def test_different_files_of_one_name(root):
    save_image(root / "resized" / "ISIC_nv10.jpg", 3, size=(200, 90))
    with refused(root, r"1 images have several, different files: ISIC_nv10 \("):
        read(root)
    assert "ISIC_nv10" not in read(root, on_error="skip")[0].image_ids


def test_a_row_twice_is_kept_once(root):
    rows = rows_of_every_class()
    write_table(root / TABLE, [*rows, rows[3], rows[1], rows[1]])
    check_fault(
        root,
        message=r"2 images with the same row .*: ISIC_akiec01 \(3 rows\), ISIC_akiec20 \(2 rows\)",
        kind="images with the same row more than once in HAM10000_metadata.csv",
        names=("ISIC_akiec01 (3 rows)", "ISIC_akiec20 (2 rows)"),
        left_out=[],
    )


def test_of_rows_that_contradict_each_other_none_is_kept(root):
    rows = rows_of_every_class()
    write_table(root / TABLE, [*rows, ("HAM_other", rows[3][1], "nv"), (*rows[8], "histo", "71.0")])
    left_out = sorted([rows[3][1], rows[8][1]])
    check_fault(
        root,
        message=rf"2 images .* contradict each other: {left_out[0]} \(2 rows\), {left_out[1]} \(2 rows\)",
        kind="images with rows in HAM10000_metadata.csv that contradict each other",
        names=tuple(f"{name} (2 rows)" for name in left_out),
        left_out=left_out,
    )


def test_of_lesions_with_two_diagnoses_no_image_is_kept(root):
    rows = rows_of_every_class()
    rows[0] = (rows[0][0], rows[0][1], "nv")
    rows[-1] = ("HAM_nv1", rows[-1][1], "vasc")
    write_table(root / TABLE, rows)
    check_fault(
        root,
        message=r"2 lesions .* more than one diagnosis: HAM_akiec0 \(akiec, nv\), HAM_nv1 \(nv, vasc\)",
        kind="lesions of HAM10000_metadata.csv with more than one diagnosis",
        names=("HAM_akiec0 (akiec, nv)", "HAM_nv1 (nv, vasc)"),
        left_out=["ISIC_akiec00", "ISIC_akiec01", "ISIC_nv10", rows[-1][1]],
    )


def test_ages_that_are_no_years(root):
    rows = rows_of_every_class()
    rows[2], rows[5] = (*rows[2], "histo", "old"), (*rows[5], "histo", "-3")
    write_table(root / TABLE, rows)
    check_fault(
        root,
        message=r"2 images .* age that is no number of years: ISIC_akiec10 \('old'\), ISIC_akiec40 \('-3'\)",
        kind="images of HAM10000_metadata.csv with an age that is no number of years",
        names=("ISIC_akiec10 ('old')", "ISIC_akiec40 ('-3')"),
        left_out=["ISIC_akiec10", "ISIC_akiec40"],
    )


def test_damaged_images_are_all_listed_or_left_out(root):
    whole = next(root.rglob("ISIC_bcc00.jpg"))
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(whole)
    whole.write_bytes(whole.read_bytes()[:-800])
    next(root.rglob("ISIC_mel01.jpg")).write_bytes(b"no picture")
    with pytest.raises(QanaError, match=r"2 image files cannot be read: ISIC_bcc00 \(.*ISIC_mel01 \("):
        source(root).load()
    splits = source(root, on_error="skip").load()
    assert set(images_by_id(splits)) == {row[1] for row in rows_of_every_class()} - {
        "ISIC_bcc00",
        "ISIC_mel01",
    }
    assert [len(names) for names in skipped_names(splits).values()] == [2]


def test_only_the_first_twenty_offenders_are_named_and_the_others_counted(root):
    write_table(root / TABLE, [(lesion, image, "scc") for lesion, image, _ in rows_of_every_class()])
    with refused(root, r"42 images .* and 22 more"):
        read(root)
    with refused(root, "has no row that can be used"):
        read(root, on_error="skip")


def test_a_class_with_fewer_lesions_than_folds_is_refused(root):
    write_table(root / TABLE, [row for row in rows_of_every_class() if row[0] != "HAM_df0"])
    with pytest.raises(QanaError, match=r"too few lesions .*: df \(4\)"):
        source(root).load()


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"image_size": 0}, "dataset.image_size = 0"),
        ({"crop": "corner"}, "dataset.crop = corner\n.*allowed: centre, none"),
        ({"fold": 5}, "dataset.fold = 5"),
    ],
)
def test_arguments_out_of_range_are_refused_before_reading(chosen, message):
    with pytest.raises(QanaError, match=message):
        source("nowhere", **chosen)
