import copy
import csv
from dataclasses import replace

import fabricated_run
import numpy as np
import pytest

from qana.dataset.table.offenders import Skipped
from qana.evaluation.contract import check_report


def test_the_report_says_what_the_data_are_and_how_they_were_split(measure):
    splits, data = fabricated_run.splits(), measure()["dataset"]

    assert data["split"] == {
        "protocol": "lesion",
        "group_key": "lesion_id",
        "leaked_groups": 0,
        "folds": 5,
        "fold": 0,
        "hash": "5a" * 32,
        "siblings": {"val": 0, "test": 0},
    }
    assert data["preprocessing"] == {"image_size": 8, "crop": "centre", "colour": "rgb"}
    for side in ("train", "val", "test"):
        labels, counts = np.unique(getattr(splits, side).target, return_counts=True)
        expected = {fabricated_run.CLASSES[label]: n for label, n in zip(labels, counts, strict=True)}
        assert {name: n for name, n in data["class_counts"][side].items() if n} == expected


def test_the_report_counts_groups_and_siblings_that_cross(measure):
    data = measure(splits=fabricated_run.image_split(siblings=37))["dataset"]

    assert data["split"]["leaked_groups"] == 2
    assert data["split"]["siblings"] == {"val": 5, "test": 37}
    assert data["audit"]["shared_groups"] == ["LES_1_00003", "LES_1_00017"]


def test_what_was_left_out_is_counted_and_named(measure):
    skipped = (Skipped("unknown labels", ("ISIC_7 (scc)",)), Skipped("missing files", ("a", "b")))

    data = measure(splits=replace(fabricated_run.splits(), skipped=skipped))["dataset"]

    assert data["skipped"] == [
        {"kind": "unknown labels", "count": 1, "names": ["ISIC_7 (scc)"]},
        {"kind": "missing files", "count": 2, "names": ["a", "b"]},
    ]


def test_the_report_keeps_a_hundred_pairs_and_the_file_keeps_all(measure, tmp_path):
    splits = replace(fabricated_run.splits(), audit=fabricated_run.audit("test", pairs=130))

    audit = measure(splits=splits)["dataset"]["audit"]

    assert (audit["near_duplicates"], len(audit["pairs"])) == (130, 100)
    rows = list(csv.DictReader((tmp_path / "near_duplicates.csv").open()))
    assert len(rows) == 130
    assert rows[129] == {
        "first": "IMG_1_00129",
        "second": "IMG_3_00129",
        "first_split": "train",
        "second_split": "test",
        "hamming": "2",
        "pixel_distance": "0.129",
        "same_group": "False",
    }


def test_pairs_with_the_external_test_are_in_the_same_file(measure_external, tmp_path):
    measure_external()

    rows = list(csv.DictReader((tmp_path / "near_duplicates.csv").open()))
    assert [row["second_split"] for row in rows] == ["test"] * 12 + ["external"] * 3


def test_the_file_of_pairs_has_its_header_when_there_are_none(measure, tmp_path):
    measure(splits=replace(fabricated_run.splits(), audit=fabricated_run.audit("test", pairs=0)))

    assert (tmp_path / "near_duplicates.csv").read_text() == (
        "first,second,first_split,second_split,hamming,pixel_distance,same_group\n"
    )


def test_the_split_is_kept_byte_for_byte(measure, tmp_path):
    measure()

    assert (tmp_path / "split.json").read_bytes() == fabricated_run.splits().split_file


def test_the_contract_misses_every_new_entry(measure_external):
    report, _ = measure_external()
    for *path, last in (
        ("dataset", "split", "hash"),
        ("dataset", "split", "siblings", "test"),
        ("dataset", "audit", "shared_groups"),
        ("dataset", "class_counts", "val", "mel"),
        ("strata", "attributes", "sex", 0, "few"),
        ("external_test", "absent_classes"),
        ("external_test", "stages", "akida", "ece"),
    ):
        block = lacking = copy.deepcopy(report)
        for key in path:
            block = block[key]
        del block[last]

        with pytest.raises(ValueError, match=rf"[.\]]{last} is missing"):
            check_report(lacking)


def test_the_contract_refuses_unknown_entries_and_counts_that_do_not_add_up(measure_external):
    report, _ = measure_external()
    report["dataset"]["audit"]["guess"] = 1
    report["strata"]["attributes"]["age"][1]["stages"]["akida"]["per_class"]["mel"]["f1"] = 1
    report["dataset"]["class_counts"]["train"]["nv"] += 1
    report["external_test"]["size"] = 3

    with pytest.raises(ValueError, match="schema 1") as caught:
        check_report(report)

    for problem in (
        "dataset.audit.guess is unknown",
        "strata.attributes.age[1].stages.akida.per_class.mel.f1 is unknown",
        "dataset.class_counts.train adds up to 601, not to dataset.sizes.train = 600",
        "external_test.class_counts adds up to",
    ):
        assert problem in str(caught.value)
