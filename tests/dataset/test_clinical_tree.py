import numpy as np
import pytest
from PIL import Image
from source_arguments import SOURCE_ARGUMENTS, images_by_id

from qana.dataset import Clinical
from qana.dataset.clinical import Columns
from qana.dataset.table.offenders import Offenders
from qana.errors import QanaError

UNUSED = Columns(image="", label="", group="patient", age=None, sex=None, localization=None, split=None)
PATTERN = r"^(P\d+)-"


def source(root, **chosen):
    arguments = {
        **SOURCE_ARGUMENTS,
        "folds": 3,
        "table": None,
        "encoding": "utf-8",
        "columns": UNUSED,
        "class_names": ["nv", "mel"],
        "class_mapping": {"naevus": "nv"},
        "group_is": "patient",
        "group_pattern": PATTERN,
    }
    return Clinical(root=str(root), **{**arguments, **chosen})


def read(root, **chosen):
    found = source(root, **chosen)
    offenders = Offenders(found.on_error)
    return found.read(offenders), {skipped.kind: skipped.names for skipped in offenders.skipped}


def save_image(path, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30), (level, level, level)).save(path)


NAMES = [f"{folder}/P{first + patient}-{view}.png" for folder, first in (("naevus", 10), ("mel", 20))
         for patient in range(4) for view in range(2)]  # fmt: skip


@pytest.fixture
def root(tmp_path):
    for number, name in enumerate(NAMES):
        save_image(tmp_path / name, 10 * number)
    return tmp_path


def test_folders_are_labels_and_names_tell_the_groups(root):
    splits = source(root).load()
    loaded = images_by_id(splits)
    assert set(loaded) == set(NAMES)
    assert splits.leaked_groups == 0
    for number, name in enumerate(NAMES):
        image, label, group = loaded[name]
        assert label == ("nv" if name.startswith("naevus") else "mel")
        assert group == name.split("/")[1].split("-")[0]
        assert (image == 10 * number).all()


def test_what_a_mac_adds_to_archives_is_passed_over(root):
    (root / "mel" / "._P20-0.png").write_bytes(b"resource fork")
    assert set(read(root)[0].image_ids) == set(NAMES)


def test_one_name_in_two_folders_is_two_images(root):
    save_image(root / "mel" / "deeper" / "mel" / "P10-0.png", 99)
    table, _ = read(root)
    assert len(table) == len(NAMES) + 1
    assert table.image_ids.count("mel/deeper/mel/P10-0.png") == 1


def test_without_pattern_lesion_protocol_is_refused_and_image_protocol_works(root):
    with pytest.raises(QanaError, match="does not say which images show the same lesion"):
        source(root, group_pattern=None).load()
    splits = source(root, group_pattern=None, protocol="image").load()
    assert splits.group_key is None
    assert len(splits.train) + len(splits.val) + len(splits.test) == len(NAMES)


def test_official_protocol_takes_the_sides_from_the_first_folder(root):
    for number, name in enumerate(NAMES):
        side = ("train", "valid", "Test")[number % 3]
        (root / side / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).rename(root / side / name)
    table, _ = read(root, protocol="official", group_pattern=None)
    found = dict(zip(table.image_ids, table.official, strict=True))
    expected = {}
    for number, name in enumerate(NAMES):
        folder, side = (("train", "train"), ("valid", "val"), ("Test", "test"))[number % 3]
        expected[f"{folder}/{name}"] = side
    assert found == expected


def test_official_protocol_without_folders_of_sides_lists_the_images(root):
    with pytest.raises(QanaError, match=r"16 images .* on an unknown side of the split: .*P20-0.png \(''\)"):
        read(root, protocol="official")


def check_fault(root, *, message, kind, left_out, **chosen):
    with pytest.raises(QanaError, match=message) as caught:
        read(root, **chosen)
    assert caught.value.where.startswith("dataset.")
    table, skipped = read(root, on_error="skip", **chosen)
    assert list(skipped) == [kind]
    assert set(table.image_ids) == set(NAMES) - set(left_out)


def test_folders_that_are_no_label_and_images_outside_folders(root):
    save_image(root / "scar" / "P30-0.png", 0)
    save_image(root / "P31-0.png", 0)
    check_fault(
        root,
        message=r"2 images .* unknown labels \('': 1, 'scar': 1\): P31-0.png \(''\), scar/P30-0.png",
        kind=f"images of {root.name} with unknown labels ('': 1, 'scar': 1)",
        left_out=[],
    )


def test_names_that_the_pattern_does_not_fit(root):
    save_image(root / "mel" / "left.png", 0)
    check_fault(
        root,
        message="1 images .* whose file name does not tell their group: mel/left.png",
        kind=f"images of {root.name} whose file name does not tell their group",
        left_out=[],
    )


def test_a_lesion_with_two_diagnoses(root):
    save_image(root / "mel" / "P10-7.png", 0)
    check_fault(
        root,
        message=r"1 lesions .* more than one diagnosis: P10 \(mel, nv\)",
        kind=f"lesions of {root.name} with more than one diagnosis",
        left_out=["naevus/P10-0.png", "naevus/P10-1.png"],
        group_is="lesion",
    )


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_missing_and_empty_folders_are_refused_always(tmp_path, on_error):
    with pytest.raises(QanaError, match="there is no folder"):
        read(tmp_path / "nowhere", on_error=on_error)
    (tmp_path / "mel").mkdir()
    with pytest.raises(QanaError, match="is empty"):
        read(tmp_path, on_error=on_error)
    (tmp_path / "mel" / "notes.txt").write_text("")
    with pytest.raises(QanaError, match="there is no image below"):
        read(tmp_path, on_error=on_error)


def test_images_that_cannot_be_read_are_left_out_under_skip(root):
    (root / NAMES[0]).write_bytes(b"nothing")
    with pytest.raises(QanaError, match=f"1 image files cannot be read: {NAMES[0]}"):
        source(root).load()
    loaded = images_by_id(source(root, on_error="skip").load())
    assert set(loaded) == set(NAMES) - {NAMES[0]}
    np.testing.assert_array_equal(loaded[NAMES[1]][0], np.full((16, 16, 3), 10))
