"""What every source does with its rows: split, audit, leave out, compare with a second source."""

import csv
import json
import pickle
from collections import Counter

import numpy as np
import pytest
from photographs import decoded_directly, save_photograph
from source_arguments import SOURCE_ARGUMENTS, images_by_id
from synthetic_source import synthetic

from qana.dataset import Clinical, Ham10000, ImageRows
from qana.dataset.clinical import Columns
from qana.dataset.table.diagnoses import CLASSES
from qana.errors import QanaError

PER_CLASS, PER_LESION = 12, 2


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """84 photographs of 42 lesions, six lesions of each class."""
    folder = tmp_path_factory.mktemp("ham10000")
    rows = []
    for label, name in enumerate(CLASSES):
        for number in range(PER_CLASS):
            image_id = f"ISIC_{label}{number:03}"
            save_photograph(folder / "images" / f"{image_id}.jpg", seed=1000 * label + number)
            lesion = f"HAM_{label}{number // PER_LESION:03}"
            rows.append([lesion, image_id, name, "histo", str(40 + number), "female", "back"])
    with (folder / "HAM10000_metadata.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"])
        writer.writerows(rows)
    return folder


def ham10000(root, **chosen):
    return Ham10000(**{**SOURCE_ARGUMENTS, "root": str(root), **chosen})


def parts(splits):
    return splits.train, splits.val, splits.test


def test_lesion_protocol_leaks_nothing_and_says_so(root):
    splits = ham10000(root).load()
    lesions = [set(part.lesion_ids) for part in parts(splits)]
    assert sum(map(len, lesions)) == len(set.union(*lesions)) == 42
    assert (splits.leaked_groups, dict(splits.audit.siblings)) == (0, {"val": 0, "test": 0})
    assert (splits.protocol, splits.group_key, splits.folds, splits.fold) == ("lesion", "lesion_id", 5, 0)


def test_image_protocol_counts_the_test_images_with_a_sibling_in_training(root):
    splits = ham10000(root, protocol="image").load()
    trained = set(splits.train.lesion_ids)
    expected = sum(lesion in trained for lesion in splits.test.lesion_ids)
    assert splits.audit.siblings["test"] == expected > 0
    sides_of_lesion = Counter(lesion for part in parts(splits) for lesion in set(part.lesion_ids))
    assert splits.leaked_groups == sum(count > 1 for count in sides_of_lesion.values()) > 0


def test_folds_test_every_image_once(root):
    tested = [name for fold in range(5) for name in ham10000(root, fold=fold).load().test.image_ids]
    assert sorted(tested) == sorted(images_by_id(ham10000(root).load()))


def test_source_without_a_published_split_refuses_the_official_protocol(root):
    with pytest.raises(QanaError, match=r"dataset\.protocol = official"):
        ham10000(root, protocol="official").load()


def test_split_of_a_run_can_be_given_back_under_another_seed_and_size(root, tmp_path):
    first = ham10000(root, seed=3).load()
    path = tmp_path / "split.json"
    path.write_bytes(first.split_file)
    again = ham10000(root, seed=4, image_size=24, split_file=str(path)).load()
    assert again.split_hash == first.split_hash
    assert [part.image_ids for part in parts(again)] == [part.image_ids for part in parts(first)]
    assert (again.protocol, again.fold) == ("lesion", 0)


def test_split_file_that_claims_lesions_but_tears_one_is_refused(root, tmp_path):
    content = json.loads(ham10000(root).load().split_file)
    torn = content["train"].pop()
    content["test"].append(torn)
    del content["hash"]
    path = tmp_path / "split.json"
    path.write_text(json.dumps(content))
    with pytest.raises(QanaError, match="1 values of lesion_id are on more than one side"):
        ham10000(root, split_file=str(path)).load()


def test_unreadable_photographs_are_refused_together_or_left_out_and_listed(root, tmp_path):
    broken = {"ISIC_0000.jpg": b"", "ISIC_6011.jpg": b"\xff\xd8 no photograph"}
    copy = tmp_path / "ham10000"
    for source in root.rglob("*"):
        if source.is_file():
            target = copy / source.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(broken.get(source.name, source.read_bytes()))
    with pytest.raises(QanaError, match=r"2 image files cannot be read: ISIC_0000 .*, ISIC_6011 "):
        ham10000(copy).load()
    splits = ham10000(copy, on_error="skip").load()
    (skipped,) = splits.skipped
    assert [name.split()[0] for name in skipped.names] == ["ISIC_0000", "ISIC_6011"]
    assert images_by_id(splits).keys() == images_by_id(ham10000(root).load()).keys() - {
        "ISIC_0000",
        "ISIC_6011",
    }


def test_pixels_labels_and_attributes_stay_together_with_a_cache_and_without(root, tmp_path):
    cached = ham10000(root, cache_dir=str(tmp_path / "cache")).load()
    direct = ham10000(root).load()
    assert cached.fingerprint == direct.fingerprint
    for splits in (cached, direct):
        for name, (image, diagnosis, lesion) in images_by_id(splits).items():
            expected = decoded_directly(root / "images" / f"{name}.jpg", image_size=16, crop="centre")
            assert np.array_equal(image, expected)
            assert (diagnosis, lesion) == (CLASSES[int(name[5])], f"HAM_{name[5]}{int(name[6:]) // 2:03}")
        ages = dict(zip(splits.test.image_ids, splits.test.attributes["age_years"], strict=True))
        assert all(age == 40 + int(name[6:]) for name, age in ages.items())
        assert set(splits.test.attributes) >= {"age_years", "sex", "localization", "image_tone"}


def test_image_tone_is_unknown_once_the_light_has_been_corrected():
    seen = synthetic(images=140, image_size=32).load().test.attributes["image_tone"]
    corrected = synthetic(images=140, image_size=32, colour="shades_of_gray").load()
    assert set(seen) != {"unknown"}
    assert set(corrected.test.attributes["image_tone"]) == {"unknown"}


def test_fingerprint_names_the_content_and_not_the_split(root, tmp_path):
    first = ham10000(root).load()
    assert ham10000(root, fold=1, seed=9).load().fingerprint == first.fingerprint
    relabelled = tmp_path / "relabelled"
    (relabelled / "images").mkdir(parents=True)
    for source in (root / "images").iterdir():
        (relabelled / "images" / source.name).symlink_to(source)
    table = (root / "HAM10000_metadata.csv").read_text()
    (relabelled / "HAM10000_metadata.csv").write_text(table.replace("HAM_0000", "HAM_9999"))
    assert ham10000(relabelled).load().fingerprint != first.fingerprint


def test_memory_mapped_images_travel_to_another_process_as_a_path(root, tmp_path):
    images = ham10000(root, cache_dir=str(tmp_path)).load().train.images
    assert isinstance(images, ImageRows)
    packed = pickle.dumps(images)
    assert len(packed) < np.asarray(images).nbytes / 4
    assert np.array_equal(np.asarray(pickle.loads(packed)), np.asarray(images))


def test_second_source_is_taken_whole_with_labels_matched_by_name(root, tmp_path):
    other = clinic(tmp_path, {"vasc": 3, "akiec": 2})
    external = ham10000(root, external_test=other).load().external
    assert (external.name, len(external.images)) == ("clinical", 5)
    found = Counter(CLASSES[label] for label in external.images.target.tolist())
    assert found == {"vasc": 3, "akiec": 2}


def test_training_images_found_in_the_second_source_are_named(root):
    splits = ham10000(root, external_test=ham10000(root)).load()
    seen = {*splits.train.image_ids, *splits.val.image_ids}
    assert set(splits.external.audit.shared_images) == seen
    assert seen <= {pair.second for pair in splits.external.audit.near_duplicates}


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"image_size": 24, "crop": "none"}, r"external_test\.image_size=16 .*external_test\.crop=centre"),
        ({"class_names": ["vasc", "scar"]}, r"classes that the first does not have: scar"),
    ],
)
def test_second_source_that_does_not_fit_is_refused_before_any_data_are_read(root, tmp_path, chosen, message):
    other = clinic(tmp_path, {"vasc": 1, "nv": 1}, **chosen)
    with pytest.raises(QanaError, match=message):
        ham10000(root, external_test=other)


def test_fault_of_the_second_source_names_its_own_key(root, tmp_path):
    other = ham10000(tmp_path / "nowhere")
    with pytest.raises(QanaError, match=r"dataset\.external_test\.root = .*nowhere"):
        ham10000(root, external_test=other).load()


def test_drawn_source_knows_the_same_protocols():
    splits = synthetic(images=140, image_size=32, protocol="image", fold=3).load()
    assert splits.protocol == "image"
    assert splits.leaked_groups > 0
    assert sum(map(len, parts(splits))) == 140


def clinic(folder, images_of_class, **chosen):
    """A tree of folders named for the labels."""
    for name, count in images_of_class.items():
        for number in range(count):
            save_photograph(folder / name / f"{number}.png", seed=7000 + 100 * len(name) + number)
    arguments = {
        "root": str(folder),
        "table": None,
        "encoding": "utf-8",
        "columns": Columns(
            image="file", label="label", group=None, age=None, sex=None, localization=None, split=None
        ),
        "class_names": list(images_of_class),
        "class_mapping": {},
        "group_is": "lesion",
        "group_pattern": None,
        "protocol": "image",
    }
    return Clinical(**{**SOURCE_ARGUMENTS, **arguments, **chosen})
