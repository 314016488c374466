import json
from dataclasses import replace

import fabricated_run
import numpy as np
import pytest
from sklearn import metrics as reference

from qana.errors import QanaError
from qana.evaluation.predictions import read_predictions


def test_the_second_source_is_scored_at_every_stage(measure_external):
    report, said = measure_external()
    found = report["external_test"]
    target = fabricated_run.external_splits().external.images.target

    assert list(found["stages"]) == list(report["stages"])
    for stage, scores in found["stages"].items():
        preds = said[stage].argmax(1)
        assert scores["accuracy"] == pytest.approx(reference.accuracy_score(target, preds))
        present = reference.f1_score(target, preds, labels=np.unique(target), average="macro")
        assert scores["macro_f1"] == pytest.approx(present)
    assert found["agreement"] == pytest.approx(1 - 2 / len(target))
    assert found["size"] == len(target) == sum(found["class_counts"].values())


def test_classes_that_the_second_source_lacks_are_named_and_have_no_scores(measure_external):
    found = measure_external()[0]["external_test"]

    assert found["absent_classes"] == ["vasc", "df"]
    for scores in found["stages"].values():
        for name in ("vasc", "df"):
            assert scores["per_class"][name] == {"precision": None, "recall": None, "f1": None, "support": 0}


def test_a_second_source_of_one_class_leaves_null_and_no_nonsense(measure_external, tmp_path):
    splits = fabricated_run.external_splits()
    images = replace(splits.external.images, target=np.ones(len(splits.external.images), np.int64))
    splits = replace(splits, external=replace(splits.external, images=images))

    measure_external(splits=splits)

    found = json.loads((tmp_path / "report.json").read_text())["external_test"]["stages"]["akida"]
    assert found["macro_auroc"] is None
    assert found["balanced_accuracy"] == found["accuracy"] == found["per_class"]["mel"]["recall"]


def test_what_the_stages_said_of_the_second_source_is_kept(measure_external, tmp_path):
    _, said = measure_external()

    kept = read_predictions(tmp_path / "predictions_external.parquet")

    assert kept.image_ids == fabricated_run.external_splits().external.images.image_ids
    for stage, logits in said.items():
        np.testing.assert_array_equal(kept.stage_logits[stage], logits)


def test_what_training_saw_of_the_second_source_is_told(measure_external):
    found = measure_external()[0]["external_test"]

    assert found["shared_images"] == ["IMG_1_00004"]
    assert found["audit"]["near_duplicates"] == 3
    assert [pair["second_split"] for pair in found["audit"]["pairs"]] == ["external"] * 3


def test_what_was_left_out_of_the_second_source_is_listed(measure_external):
    assert measure_external()[0]["external_test"]["skipped"] == [
        {
            "kind": "files that cannot be read",
            "count": 2,
            "names": ["ISIC_1 (truncated)", "ISIC_2 (empty)"],
        }
    ]


def test_a_run_without_second_source_has_no_block_and_no_file(measure, tmp_path):
    assert "external_test" not in measure()
    assert not (tmp_path / "predictions_external.parquet").exists()


def test_a_stage_that_skips_the_second_source_is_refused(measure_external, tmp_path):
    said = fabricated_run.stage_logits(fabricated_run.external_splits().external.images.target)
    del said["onnx"]

    with pytest.raises(ValueError, match="external test lacks stages"):
        measure_external(external_logits=said)
    with pytest.raises(ValueError, match="external test lacks stages"):
        measure_external(external_logits=None)
    assert not list(tmp_path.iterdir())


def test_logits_without_a_second_source_are_refused(measure):
    with pytest.raises(ValueError, match="no external test"):
        measure(external_logits={"float": np.zeros((3, 7), np.float32)})


def test_broken_logits_of_the_second_source_are_told_from_those_of_the_test_split(measure_external):
    said = fabricated_run.stage_logits(fabricated_run.external_splits().external.images.target)
    said["keras"] = np.full_like(said["keras"], np.nan)

    with pytest.raises(QanaError, match="not finite at stage external test, keras"):
        measure_external(external_logits=said)
