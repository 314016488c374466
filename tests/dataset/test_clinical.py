from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image
from source_arguments import SOURCE_ARGUMENTS, images_by_id

from qana.dataset import Clinical
from qana.dataset.clinical import Columns
from qana.dataset.table.offenders import Offenders
from qana.errors import QanaError

CONFIG = Path(__file__).parents[2] / "conf" / "dataset" / "clinical.yaml"
COLUMNS = Columns(
    image="filename", label="diagnosis", group="patient_id", age=None, sex=None, localization=None, split=None
)
EVERY_COLUMN = Columns(
    image="Bild", label="Diagnose", group="Patient", age="Alter", sex="m/w", localization="Ort", split="Teil"
)
LABELS = ("naevus", "melanoma", "keratosis")
HEADER = "filename;diagnosis;patient_id"


def source(root, **chosen):
    arguments = {
        **SOURCE_ARGUMENTS,
        "folds": 3,
        "table": "labels.csv",
        "encoding": "utf-8",
        "columns": COLUMNS,
        "class_names": ["nv", "mel", "bkl"],
        "class_mapping": {"naevus": "nv", "melanoma": "mel", "keratosis": "bkl"},
        "group_is": "patient",
        "group_pattern": None,
    }
    return Clinical(root=str(root), **{**arguments, **chosen})


def read(root, **chosen):
    found = source(root, **chosen)
    offenders = Offenders(found.on_error)
    return found.read(offenders), {skipped.kind: skipped.names for skipped in offenders.skipped}


def photographs():
    """Four patients of each label, the first photographed twice: (file, label, patient)."""
    return [
        (f"{label[0]}{patient}{view}.jpg", label, f"P{label[0]}{patient}")
        for label in LABELS
        for patient in range(4)
        for view in range(2 if patient == 0 else 1)
    ]


def write(root, rows, header=HEADER, encoding="utf-8"):
    text = "\n".join([header, *(";".join(row) for row in rows)]) + "\n"
    (root / "labels.csv").write_bytes(text.encode(encoding))


def save_image(path, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30), (level, 2 * level, 3 * level)).save(path)


@pytest.fixture
def root(tmp_path):
    write(tmp_path, photographs())
    for number, (name, *_) in enumerate(photographs()):
        save_image(tmp_path / "photographs" / str(2020 + number % 3) / name, number)
    return tmp_path


def test_every_row_gets_its_own_image_class_and_patient(root):
    splits = source(root).load()
    assert (splits.name, splits.classes) == ("clinical", ("nv", "mel", "bkl"))
    assert (splits.group_key, splits.leaked_groups) == ("patient_id", 0)
    loaded = images_by_id(splits)
    for number, (name, label, patient) in enumerate(photographs()):
        image, found_label, group = loaded[name]
        assert np.abs(image.astype(int) - [number, 2 * number, 3 * number]).max() <= 4  # JPEG
        assert found_label == {"naevus": "nv", "melanoma": "mel", "keratosis": "bkl"}[label]
        assert group == patient


def test_all_columns_may_have_other_names_and_the_split_other_words(root):
    sides = ("Training", "valid", "TEST")
    rows = [
        (name, label, patient, "61,5" if number else "", "w", "Rücken", sides[number % 3])
        for number, (name, label, patient) in enumerate(photographs())
    ]
    write(root, rows, "Bild;Diagnose;Patient;Alter;m/w;Ort;Teil", encoding="cp1252")
    table, _ = read(root, columns=EVERY_COLUMN, encoding="cp1252", protocol="official")
    place = {image: row for row, image in enumerate(table.image_ids)}
    for number, row in enumerate(rows):
        at = place[row[0]]
        assert table.official[at] == ("train", "val", "test")[number % 3]
        assert table.attributes["localization"][at] == "Rücken"
        assert table.attributes["sex"][at] == "w"
        np.testing.assert_equal(table.attributes["age_years"][at], 61.5 if number else np.nan)


@pytest.mark.parametrize(
    "written",
    [
        lambda path: path.stem,
        lambda path: path.name,
        lambda path: path.as_posix(),
        lambda path: path.with_suffix("").as_posix(),
        lambda path: f"./{path.as_posix()}",
        lambda path: path.as_posix().replace("/", "\\"),
        lambda path: f"elsewhere/../{path.as_posix()}",
    ],
    ids=["stem", "name", "path", "path-without-ending", "dot", "backslashes", "detour-inside"],
)
def test_images_are_found_by_name_stem_or_path(root, written):
    before, _ = read(root)
    paths = {path.name: path.relative_to(root) for path in root.rglob("*.jpg")}
    write(root, [(written(paths[name]), label, patient) for name, label, patient in photographs()])
    after, _ = read(root)
    groups = dict(zip(before.groups, before.target.tolist(), strict=True))
    assert dict(zip(after.groups, after.target.tolist(), strict=True)) == groups
    names = {image.rpartition("/")[2].removesuffix(".jpg") for image in after.image_ids}
    assert names == {name.removesuffix(".jpg") for name, *_ in photographs()}
    assert not any("\\" in image or ".." in image for image in after.image_ids)


def test_two_images_of_one_name_are_told_apart_by_their_paths(root):
    save_image(root / "b" / "x.png", 1)
    save_image(root / "c" / "x.png", 200)
    rows = [*photographs(), ("b/x.png", "naevus", "X"), ("c/x.png", "melanoma", "Y")]
    write(root, rows)
    loaded = images_by_id(source(root).load())
    assert [loaded[name][0].mean().round() for name in ("b/x.png", "c/x.png")] == [2, 237]
    write(root, [*photographs(), ("x.png", "naevus", "X")])
    with pytest.raises(QanaError, match=r"1 images have several, different files: x.png \("):
        read(root)


def test_labels_without_mapping_mean_the_class_of_their_name_and_null_leaves_out(root):
    table, skipped = read(
        root, class_names=["naevus", "bad"], class_mapping={"melanoma": "bad", "keratosis": None}
    )
    labels = {name: label for name, label, _ in photographs()}
    assert skipped == {}
    assert set(table.image_ids) == {name for name, label in labels.items() if label != "keratosis"}
    for image, target in zip(table.image_ids, table.target, strict=True):
        assert target == {"naevus": 0, "melanoma": 1}[labels[image]]


def test_a_patient_may_have_two_diagnoses_but_a_lesion_may_not(root):
    rows = photographs()
    rows[0] = (rows[0][0], "melanoma", rows[0][2])
    write(root, rows)
    splits = source(root, group_is="patient").load()
    assert splits.leaked_groups == 0
    assert [images_by_id(splits)[name][1:] for name in ("n00.jpg", "n01.jpg")] == [
        ("mel", "Pn0"),
        ("nv", "Pn0"),
    ]
    with pytest.raises(
        QanaError, match=r"1 lesions of labels.csv with more than one diagnosis: Pn0 \(mel, nv\)"
    ):
        read(root, group_is="lesion")
    table, _ = read(root, group_is="lesion", on_error="skip")
    assert "Pn0" not in table.groups
    assert len(table) == len(rows) - 2


def test_without_groups_lesion_protocol_is_refused_and_image_protocol_works(root):
    ungrouped = replace(COLUMNS, group=None)
    with pytest.raises(QanaError, match="does not say which images show the same lesion"):
        source(root, columns=ungrouped).load()
    splits = source(root, columns=ungrouped, protocol="image").load()
    assert splits.group_key is None


def test_groups_may_come_from_the_file_names(root):
    table, _ = read(root, columns=replace(COLUMNS, group=None), group_pattern=r"^(\w\d)\d")
    assert table.groups == tuple(image[:2] for image in table.image_ids)
    assert table.group_key == "patient (group_pattern)"


def test_groups_from_a_column_and_from_the_names_at_once_are_refused(root):
    with pytest.raises(QanaError, match="from a column and from the file names"):
        source(root, group_pattern="^(.)")


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_missing_folder_table_images_and_columns_are_refused_always(root, on_error):
    with pytest.raises(QanaError, match="there is no folder"):
        read(root / "nowhere", on_error=on_error)
    with pytest.raises(QanaError, match=r"there is no table .*other.csv") as caught:
        read(root, table="other.csv", on_error=on_error)
    assert caught.value.where.startswith("dataset.table = other.csv")
    write(root, photographs(), "file;diagnosis;patient")
    with pytest.raises(
        QanaError, match="lacks the columns filename, patient_id; it has file, diagnosis, patient"
    ):
        read(root, on_error=on_error)
    for image in root.rglob("*.jpg"):
        image.unlink()
    with pytest.raises(QanaError, match="there is no image below"):
        read(root, on_error=on_error)
    (root / "empty").mkdir()
    with pytest.raises(QanaError, match="is empty"):
        read(root / "empty", on_error=on_error)


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_another_encoding_is_refused_with_the_key_that_reads_it(root, on_error):
    rows = [(name, label, f"Müller {patient}") for name, label, patient in photographs()]
    write(root, rows, encoding="latin-1")
    with pytest.raises(QanaError, match="byte 0xfc at position") as caught:
        read(root, on_error=on_error)
    assert caught.value.where == "dataset.encoding = utf-8"
    assert caught.value.fix.startswith("dataset.encoding=cp1252")
    table, _ = read(root, encoding="latin-1")
    assert set(table.groups) == {group for *_, group in rows}


def check_fault(root, *, message, kind, left_out, **chosen):
    with pytest.raises(QanaError, match=message) as caught:
        read(root, **chosen)
    assert caught.value.where.startswith("dataset.")
    table, skipped = read(root, on_error="skip", **chosen)
    assert list(skipped) == [kind]
    assert set(table.image_ids) == {name for name, *_ in photographs()} - set(left_out)


def test_unknown_labels(root):
    rows = photographs()
    rows[0], rows[1] = (rows[0][0], "scar", "P"), (rows[1][0], "Naevus", "P")
    write(root, rows)
    check_fault(
        root,
        message=r"2 images .* unknown labels \('scar': 1, 'Naevus': 1\): n00.jpg \('scar'\), n01.jpg",
        kind="images of labels.csv with unknown labels ('scar': 1, 'Naevus': 1)",
        left_out=["n00.jpg", "n01.jpg"],
    )


@pytest.mark.parametrize("outside", ["../{name}", "photographs/../../{name}", "{root}/{name}", "C:\\{name}"])
def test_paths_that_lead_outside_the_root(root, outside):
    rows = photographs()
    name = rows[0][0]
    save_image(root.parent / name, 0)  # it is there, and not to be read
    rows[0] = (outside.format(name=name, root=root.parent), *rows[0][1:])
    write(root, rows)
    check_fault(
        root,
        message="1 images of labels.csv with a path that leads outside the root",
        kind="images of labels.csv with a path that leads outside the root",
        left_out=[name],
    )


def test_rows_with_empty_cells(root):
    rows = photographs()
    rows[2] = (rows[2][0], rows[2][1], "")
    write(root, rows)
    check_fault(
        root,
        message="1 rows .* with empty cells: line 4: patient_id",
        kind="rows of labels.csv with empty cells",
        left_out=[rows[2][0]],
    )


def test_missing_files(root):
    next(root.rglob("k10.jpg")).unlink()
    check_fault(
        root,
        message="1 of 15 images of the table have no file: k10.jpg",
        kind="of 15 images of the table have no file",
        left_out=["k10.jpg"],
    )


def test_two_rows_for_an_image_whatever_they_call_it(root):
    rows = photographs()
    write(root, [*rows, ("n10", *rows[2][1:])])
    check_fault(
        root,
        message=r"same row more than once .*: photographs/20\d\d/n10.jpg \(2 rows\)",
        kind="images with the same row more than once in labels.csv",
        left_out=[],
    )
    write(root, [*rows, ("n10", "melanoma", "other")])
    check_fault(
        root,
        message=r"contradict each other: photographs/20\d\d/n10.jpg \(2 rows\)",
        kind="images with rows in labels.csv that contradict each other",
        left_out=["n10.jpg"],
    )


def test_unknown_sides_of_the_split(root):
    rows = [(*row, "train") for row in photographs()]
    rows[0] = (*rows[0][:3], "holdout")
    write(root, rows, HEADER + ";side")
    check_fault(
        root,
        message=r"1 images .* on an unknown side of the split: n00.jpg \('holdout'\)",
        kind="images of labels.csv on an unknown side of the split",
        left_out=["n00.jpg"],
        columns=replace(COLUMNS, split="side"),
    )


def test_ages_that_are_no_years(root):
    rows = [(*row, "40") for row in photographs()]
    rows[0] = (*rows[0][:3], "1961")
    write(root, rows, HEADER + ";age")
    check_fault(
        root,
        message=r"1 images .* age that is no number of years: n00.jpg \('1961'\)",
        kind="images of labels.csv with an age that is no number of years",
        left_out=["n00.jpg"],
        columns=replace(COLUMNS, age="age"),
    )


def test_names_that_tell_no_group(root):
    check_fault(
        root,
        message="6 images of labels.csv whose file name does not tell their group: n00.jpg, n01.jpg, m00.jpg",
        kind="images of labels.csv whose file name does not tell their group",
        left_out=[name for name, *_ in photographs() if name[1] == "0"],
        columns=replace(COLUMNS, group=None),
        group_pattern=r"^(\w[1-9])",
    )


def test_damaged_images_are_left_out_under_skip(root):
    next(root.rglob("k10.jpg")).write_bytes(b"")
    with pytest.raises(QanaError, match=r"1 image files cannot be read: k10.jpg"):
        source(root, folds=2).load()
    splits = source(root, folds=2, on_error="skip", protocol="image").load()
    assert "k10.jpg" not in images_by_id(splits)


@pytest.mark.parametrize(
    ("chosen", "message", "where"),
    [
        ({"encoding": "utf-9"}, "no text encoding is called 'utf-9'", "dataset.encoding = utf-9"),
        ({"class_names": ["nv", "nv"]}, "classes named twice: nv", "dataset.class_names"),
        ({"class_names": ["nv"]}, "1 classes are too few", "dataset.class_names"),
        ({"class_mapping": {"a": "nb", "b": "nv"}}, "1 labels .* no class: a: nb", "dataset.class_mapping"),
        ({"group_is": "family"}, "a group is no 'family'", "dataset.group_is = family"),
        ({"group_pattern": "^P"}, "has no part in parentheses", "dataset.group_pattern"),
        ({"group_pattern": "(P"}, "is no regular expression", "dataset.group_pattern"),
    ],
)
def test_arguments_out_of_range_are_refused_before_reading(chosen, message, where):
    with pytest.raises(QanaError, match=message) as caught:
        source("nowhere", **chosen)
    assert caught.value.where.startswith(where)


def test_the_worked_example_of_the_config_runs_with_root_and_one_column_given(tmp_path):
    """The two rows in the header of clinical.yaml."""
    (tmp_path / "labels.csv").write_text(
        "filename;diagnosis;patient_id;age\nP017-left.jpg;mel;P017;54\n2023/P018-01.png;nv;P018;\n"
    )
    save_image(tmp_path / "P017-left.jpg", 1)
    save_image(tmp_path / "2023" / "P018-01.png", 2)
    config = OmegaConf.create({"seed": 0, "dataset": OmegaConf.load(CONFIG)})
    config.dataset.root = str(tmp_path)
    config.dataset.columns.age = "age"
    table = instantiate(config.dataset).read(Offenders("raise"))
    assert table.image_ids == ("2023/P018-01.png", "P017-left.jpg")
    assert table.groups == ("P018", "P017")
    np.testing.assert_equal(table.attributes["age_years"], [np.nan, 54.0])
