from dataclasses import replace

import fabricated_run
import numpy as np
import pyarrow.parquet as pq
import pytest

from qana.evaluation.metrics import agreement, paired_difference_ci, stage_metrics
from qana.evaluation.predictions import read_predictions, write_predictions


def test_every_metric_of_the_report_is_recomputed_from_the_file_alone(measure, tmp_path):
    report = measure()

    said = read_predictions(tmp_path / "predictions.parquet")

    settings = {"bootstrap_samples": 1000, "seed": 7}
    for stage, logits in said.stage_logits.items():
        found = stage_metrics(logits, said.target, said.lesion_ids, said.classes, **settings)
        assert found.as_dict() == report["stages"][stage]
    conversion, stages = report["conversion"], said.stage_logits
    assert agreement(stages["torch"], stages["akida"]) == conversion["agreement"]
    drop = paired_difference_ci(stages["float"], stages["akida"], said.target, said.lesion_ids, **settings)
    assert drop.as_dict() == conversion["macro_f1_drop"]
    assert float(np.abs(stages["torch"] - stages["akida"]).max()) == conversion["max_abs_logit_error"]


def test_there_is_one_row_per_image_and_stage(tmp_path):
    images = fabricated_run.image_set(50, seed=4)
    logits = fabricated_run.stage_logits(images.target)
    path = tmp_path / "p.parquet"

    write_predictions(path, images, fabricated_run.CLASSES, {s: logits[s] for s in ("akida", "float")})

    frame = pq.read_table(path).to_pandas()
    assert len(frame) == 100
    assert list(frame["stage"].unique()) == ["float", "akida"]
    assert (frame["target_name"] == [fabricated_run.CLASSES[t] for t in frame["target"]]).all()
    assert tuple(frame["image_id"][:50]) == images.image_ids
    assert frame["logits"][0].dtype == np.float32


def test_classes_without_test_images_survive_the_file(tmp_path):
    images = fabricated_run.image_set(5, seed=4)
    logits = {"torch": np.zeros((5, 7), np.float32)}
    write_predictions(tmp_path / "p.parquet", images, fabricated_run.CLASSES, logits)

    assert read_predictions(tmp_path / "p.parquet").classes == fabricated_run.CLASSES


def test_logits_of_other_images_are_refused_and_nothing_is_written(tmp_path):
    images = fabricated_run.image_set(5, seed=4)
    with pytest.raises(ValueError, match=r"torch.*do not describe"):
        write_predictions(
            tmp_path / "p.parquet", images, fabricated_run.CLASSES, {"torch": np.zeros((4, 7), np.float32)}
        )
    assert not list(tmp_path.iterdir())


def test_an_unknown_stage_is_refused(tmp_path):
    images = fabricated_run.image_set(5, seed=4)
    with pytest.raises(ValueError, match=r"unknown stages \['loihi'\]"):
        write_predictions(
            tmp_path / "p.parquet", images, fabricated_run.CLASSES, {"loihi": np.zeros((5, 7), np.float32)}
        )


def test_what_is_known_of_the_person_stands_beside_each_prediction(tmp_path):
    images = fabricated_run.image_set(600, seed=4)
    path = tmp_path / "p.parquet"
    write_predictions(path, images, fabricated_run.CLASSES, fabricated_run.stage_logits(images.target))

    frame = pq.read_table(path).to_pandas()
    said = read_predictions(path)

    assert np.isnan(images.attributes["age_years"]).any()
    for name, values in images.attributes.items():
        np.testing.assert_array_equal(said.attributes[name], values)
        np.testing.assert_array_equal(frame[name][-600:].to_numpy(), values)


def test_attributes_that_the_source_does_not_know_are_no_columns(tmp_path):
    images = replace(fabricated_run.image_set(6, seed=4), attributes={"sex": np.array(["female"] * 6)})
    path = tmp_path / "p.parquet"
    write_predictions(path, images, fabricated_run.CLASSES, {"torch": np.zeros((6, 7), np.float32)})

    assert pq.read_schema(path).names[-2:] == ["logits", "sex"]
    assert list(read_predictions(path).attributes) == ["sex"]
