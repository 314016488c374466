import csv

import numpy as np
import pytest
from PIL import Image
from source_arguments import SOURCE_ARGUMENTS, images_by_id

from qana.dataset import Isic2018
from qana.dataset.table.offenders import Offenders
from qana.errors import QanaError

# The header as published with the challenge (ISIC2018_Task3_Training_GroundTruth.csv).
HEADER = ["image", "MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"]
# What each of its columns is in HAM10000, and the class index that this project gives it, written by hand.
MEANING = {
    "MEL": ("mel", 4),
    "NV": ("nv", 5),
    "BCC": ("bcc", 1),
    "AKIEC": ("akiec", 0),
    "BKL": ("bkl", 2),
    "DF": ("df", 3),
    "VASC": ("vasc", 6),
}
TRAIN = "ISIC2018_Task3_Training_GroundTruth"
TEST = "ISIC2018_Task3_Test_GroundTruth"
LESIONS = "ISIC2018_Task3_Training_LesionGroupings.csv"


def source(root, **chosen):
    return Isic2018(root=str(root), **{**SOURCE_ARGUMENTS, "protocol": "official", **chosen})


def read(root, **chosen):
    found = source(root, **chosen)
    offenders = Offenders(found.on_error)
    return found.read(offenders), {skipped.kind: skipped.names for skipped in offenders.skipped}


def one_hot(image, diagnosis):
    return [image, *(str(float(name == diagnosis)) for name in HEADER[1:])]


def training_images():
    """Three lesions of each diagnosis, the first photographed twice: (image, diagnosis, lesion)."""
    return [
        (f"ISIC_{name}{lesion}{photo}", name, f"HAM_{name}{lesion}")
        for name in HEADER[1:]
        for lesion in range(3)
        for photo in range(2 if lesion == 0 else 1)
    ]


def test_images():
    return [(f"ISIC_T{name}", name) for name in HEADER[1:]]


test_images.__test__ = False


def write(path, header, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def write_lesions(root, rows):
    write(root / LESIONS, ["image", "lesion_id", "diagnosis_confirm_type"], rows)


def save_image(path, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30), (level, 2 * level, 3 * level)).save(path, quality=95)


@pytest.fixture
def root(tmp_path):
    """As the archives of the challenge unpack."""
    rows = [one_hot(image, name) for image, name, _ in training_images()]
    write(tmp_path / TRAIN / f"{TRAIN}.csv", HEADER, rows)
    write(tmp_path / TEST / f"{TEST}.csv", HEADER, [one_hot(*each) for each in test_images()])
    write_lesions(tmp_path, [(image, lesion, "histopathology") for image, _, lesion in training_images()])
    for number, (image, *_) in enumerate(training_images()):
        save_image(tmp_path / "ISIC2018_Task3_Training_Input" / f"{image}.jpg", number)
    for number, (image, _) in enumerate(test_images()):
        save_image(tmp_path / "ISIC2018_Task3_Test_Input" / f"{image}.jpg", 50 + number)
    return tmp_path


def dataverse_rows():
    """The test side as Dataverse hands it out."""
    return [
        (f"HAMTEST_{name}", image, MEANING[name][0], "histo", "45.0", "male", "back", "vidir_modern")
        for image, name in test_images()
    ]


def write_dataverse(root, rows):
    (root / TEST / f"{TEST}.csv").unlink(missing_ok=True)
    header = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization", "dataset"]
    (root / f"{TEST}.tab").write_text("\n".join("\t".join(row) for row in [header, *rows]))


def test_every_column_of_the_published_header_means_its_class():
    assert Isic2018.classes == ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
    assert all(Isic2018.classes[index] == name for name, index in MEANING.values())


def test_labels_lesions_and_official_sides_are_read(root):
    table, _ = read(root)
    place = {image: row for row, image in enumerate(table.image_ids)}
    assert table.image_ids == tuple(sorted(place))
    assert table.group_key == "lesion_id"
    for image, name, lesion in training_images():
        row = place[image]
        assert (table.target[row], table.groups[row]) == (MEANING[name][1], lesion)
        assert (table.official[row], table.attributes["dx_type"][row]) == ("train", "histopathology")
    for image, name in test_images():
        row = place[image]
        assert (table.target[row], table.groups[row], table.official[row]) == (
            MEANING[name][1],
            image,
            "test",
        )


def test_official_split_tests_on_the_test_side_and_draws_validation_by_lesion(root):
    splits = source(root).load()
    assert set(splits.test.image_ids) == {image for image, _ in test_images()}
    assert not set(splits.train.lesion_ids) & set(splits.val.lesion_ids)
    assert len(splits.train) + len(splits.val) == len(training_images())
    image, label, _ = images_by_id(splits)["ISIC_TMEL"]
    assert label == "mel"
    assert np.abs(image.astype(int) - [50, 100, 150]).max() <= 4  # JPEG


def test_validation_side_is_used_where_it_is_there(root):
    write(root / "ISIC2018_Task3_Validation_GroundTruth.csv", HEADER, [one_hot("ISIC_V", "DF")])
    save_image(root / "ISIC2018_Task3_Validation_Input" / "ISIC_V.jpg", 9)
    assert source(root).load().val.image_ids == ("ISIC_V",)


def test_flat_folder_and_one_hot_as_whole_numbers_are_accepted(root):
    before, _ = read(root)
    for path in [*root.rglob("*.jpg"), *root.rglob("*.csv")]:
        path.rename(root / path.name)
    (root / f"{TRAIN}.csv").write_text((root / f"{TRAIN}.csv").read_text().replace(".0", ""))
    after, _ = read(root)
    assert after.target.tolist() == before.target.tolist()


def test_columns_in_another_order_change_nothing(root):
    before, _ = read(root)
    rows = [one_hot(image, name)[::-1] for image, name, _ in training_images()]
    write(root / TRAIN / f"{TRAIN}.csv", HEADER[::-1], rows)
    assert read(root)[0].target.tolist() == before.target.tolist()


def test_without_groupings_no_groups_are_known(root):
    (root / LESIONS).unlink()
    table, _ = read(root)
    assert (table.groups, table.group_key) == (None, None)


def test_dataverse_names_the_lesions_ages_and_sexes_of_the_test_side(root):
    write_dataverse(root, dataverse_rows())
    table, _ = read(root)
    row = table.image_ids.index("ISIC_TBCC")
    assert (table.groups[row], table.target[row], table.official[row]) == ("HAMTEST_BCC", 1, "test")
    assert (table.attributes["age_years"][row], table.attributes["sex"][row]) == (45.0, "male")
    trained = table.image_ids.index("ISIC_BCC10")
    assert np.isnan(table.attributes["age_years"][trained])
    assert table.attributes["sex"][trained] == "unknown"
    assert table.attributes["dx_type"][[row, trained]].tolist() == ["histo", "histopathology"]


def test_lesion_protocol_wants_the_lesion_of_every_image(root):
    with pytest.raises(QanaError, match="lesions of 7 images are not known: ISIC_TMEL") as caught:
        read(root, protocol="lesion", on_error="skip")
    assert "Dataverse" in caught.value.fix
    write_dataverse(root, dataverse_rows())
    table, _ = read(root, protocol="lesion")
    assert table.groups[table.image_ids.index("ISIC_TBCC")] == "HAMTEST_BCC"


def test_lesion_protocol_works_on_the_training_side_alone(root):
    (root / TEST / f"{TEST}.csv").unlink()
    splits = source(root, protocol="lesion", folds=3).load()
    assert splits.leaked_groups == 0
    assert {len(splits.train) + len(splits.val) + len(splits.test)} == {len(training_images())}


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_official_protocol_without_test_side_is_refused(root, on_error):
    (root / TEST / f"{TEST}.csv").unlink()
    with pytest.raises(QanaError, match=f"there is no {TEST}.csv"):
        read(root, on_error=on_error)


def test_test_side_alone_is_enough_for_a_second_source(root):
    (root / TRAIN / f"{TRAIN}.csv").unlink()
    (root / LESIONS).unlink()
    table, _ = read(root)
    assert set(table.official) == {"test"}
    assert len(table) == 7


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_missing_folder_empty_folder_images_and_tables_are_refused_always(tmp_path, on_error):
    with pytest.raises(QanaError, match="there is no folder"):
        read(tmp_path / "nowhere", on_error=on_error)
    with pytest.raises(QanaError, match="is empty"):
        read(tmp_path, on_error=on_error)
    (tmp_path / "readme.txt").write_text("")
    with pytest.raises(QanaError, match="there is no image below"):
        read(tmp_path, on_error=on_error)
    save_image(tmp_path / "a.jpg", 0)
    with pytest.raises(QanaError, match="there is no ISIC2018_Task3_T"):
        read(tmp_path, on_error=on_error)


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_table_without_a_column_or_in_another_encoding_is_refused_always(root, on_error):
    path = root / TRAIN / f"{TRAIN}.csv"
    path.write_text(path.read_text().replace("AKIEC", "AK"))
    with pytest.raises(QanaError, match="lacks the columns AKIEC"):
        read(root, on_error=on_error)
    path.write_bytes(path.read_text().encode("utf-16"))
    with pytest.raises(QanaError, match="is not a CSV table in utf-8: byte 0xff"):
        read(root, on_error=on_error)


def check_fault(root, *, message, kind, left_out):
    with pytest.raises(QanaError, match=message) as caught:
        read(root)
    assert str(root) in caught.value.where
    table, skipped = read(root, on_error="skip")
    assert list(skipped) == [kind]
    everything = {image for image, *_ in [*training_images(), *test_images()]}
    assert set(table.image_ids) == everything - set(left_out)


def test_rows_that_are_not_one_hot(root):
    rows = [one_hot(image, name) for image, name, _ in training_images()]
    rows[2][3] = "1.0"
    rows[5][1:] = ["0.0"] * 7
    rows[9][4] = "0.5"
    rows[11][2] = "yes"
    write(root / TRAIN / f"{TRAIN}.csv", HEADER, rows)
    check_fault(
        root,
        message=r"4 images .* without exactly one diagnosis: ISIC_MEL10 \(MEL=1.0, BCC=1.0\), "
        r"ISIC_NV01 \(all 0\), ISIC_BCC01 \(BCC=1.0, AKIEC=0.5\), ISIC_BCC20 \(NV=yes, BCC=1.0\)",
        kind=f"images of {TRAIN}.csv without exactly one diagnosis",
        left_out=[rows[place][0] for place in (2, 5, 9, 11)],
    )


def test_unknown_diagnoses_in_the_table_of_dataverse(root):
    rows = dataverse_rows()
    rows[0] = (*rows[0][:2], "scc", *rows[0][3:])
    write_dataverse(root, rows)
    check_fault(
        root,
        message=r"1 images .* unknown labels \('scc': 1\): ISIC_TMEL",
        kind=f"images of {TEST}.tab with unknown labels ('scc': 1)",
        left_out=["ISIC_TMEL"],
    )


def test_rows_with_empty_cells(root):
    rows = [one_hot(image, name) for image, name, _ in training_images()]
    rows[0][5] = ""
    write(root / TRAIN / f"{TRAIN}.csv", HEADER, rows)
    check_fault(
        root,
        message="1 rows .* with empty cells: line 2: BKL",
        kind=f"rows of {TRAIN}.csv with empty cells",
        left_out=[rows[0][0]],
    )


def test_two_rows_for_an_image(root):
    rows = [one_hot(image, name) for image, name, _ in training_images()]
    write(root / TRAIN / f"{TRAIN}.csv", HEADER, [*rows, rows[0]])
    check_fault(
        root,
        message=r"same row more than once .*: ISIC_MEL00 \(2 rows\)",
        kind=f"images with the same row more than once in {TRAIN}.csv",
        left_out=[],
    )
    write(root / TRAIN / f"{TRAIN}.csv", HEADER, [*rows, one_hot("ISIC_MEL00", "NV")])
    check_fault(
        root,
        message=r"contradict each other: ISIC_MEL00 \(2 rows\)",
        kind=f"images with rows in {TRAIN}.csv that contradict each other",
        left_out=["ISIC_MEL00"],
    )


def test_an_image_on_two_sides_is_on_none(root):
    rows = [one_hot(*each) for each in [*test_images(), ("ISIC_MEL00", "MEL")]]
    write(root / TEST / f"{TEST}.csv", HEADER, rows)
    check_fault(
        root,
        message="1 images are on more than one side of the challenge: ISIC_MEL00",
        kind="images are on more than one side of the challenge",
        left_out=["ISIC_MEL00"],
    )


def test_of_lesions_with_two_diagnoses_no_image_is_kept(root):
    rows = [(image, lesion, "") for image, _, lesion in training_images()]
    rows[0] = (rows[0][0], "HAM_NV2", "")
    write_lesions(root, rows)
    check_fault(
        root,
        message=r"1 lesions .* more than one diagnosis: HAM_NV2 \(mel, nv\)",
        kind=f"lesions of {TRAIN}.csv with more than one diagnosis",
        left_out=["ISIC_MEL00", "ISIC_NV20"],
    )


def test_training_images_without_lesion(root):
    write_lesions(root, [(image, lesion, "") for image, _, lesion in training_images()[2:]])
    check_fault(
        root,
        message=f"2 training images that {LESIONS} does not name: ISIC_MEL00, ISIC_MEL01",
        kind=f"training images that {LESIONS} does not name",
        left_out=["ISIC_MEL00", "ISIC_MEL01"],
    )


def test_images_without_file(root):
    next(root.rglob("ISIC_TDF.jpg")).unlink()
    check_fault(
        root,
        message="1 of 35 images of the table have no file: ISIC_TDF",
        kind="of 35 images of the table have no file",
        left_out=["ISIC_TDF"],
    )


def test_damaged_images_are_left_out_under_skip(root):
    next(root.rglob("ISIC_TDF.jpg")).write_bytes(b"\xff\xd8\xff")
    with pytest.raises(QanaError, match="1 image files cannot be read: ISIC_TDF"):
        source(root).load()
    assert "ISIC_TDF" not in images_by_id(source(root, on_error="skip").load())
