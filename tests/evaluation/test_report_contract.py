import copy
import json

import fabricated_run
import numpy as np
import pytest

from qana.evaluation.contract import check_report
from qana.evaluation.report import write_report_json


def test_a_full_run_gives_a_report_that_follows_the_contract(measure):
    report = measure()

    check_report(report)
    assert list(report["stages"]) == list(fabricated_run.STAGES)
    assert report["conversion"]["agreement"] == 1 - 2 / 400
    assert report["mapping"]["device"] == "AKD1000"
    assert report["host"] is None
    assert "incremental" not in report


def test_a_run_without_conversion_leaves_its_blocks_empty(measure):
    logits = fabricated_run.stage_logits(fabricated_run.splits().test.target)
    report = measure(stage_logits={"float": logits["float"], "torch": logits["torch"]}, conversion=None)

    assert [report[key] for key in ("conversion", "mapping", "cost")] == [None, None, None]
    assert list(report["stages"]) == ["float", "torch"]


def test_the_incremental_block_is_present_when_the_group_is_on(measure):
    assert measure(incremental={"classes_added": 2})["incremental"] == {"classes_added": 2}


def test_without_float_stage_the_drop_is_null_not_zero(measure):
    logits = fabricated_run.stage_logits(fabricated_run.splits().test.target)
    del logits["float"]

    assert measure(stage_logits=logits)["conversion"]["macro_f1_drop"] is None


def test_every_missing_unknown_and_impossible_entry_is_named_at_once(measure):
    report = copy.deepcopy(measure())
    del report["run"]["seed"]
    report["cost"]["latency_ms"]["provenance"] = "guessed"
    report["stages"]["akida"]["f2"] = 1.0
    report["stages"]["loihi"] = report["stages"].pop("onnx")
    del report["stages"]["float"]["per_class"]["mel"]
    report["conversion"]["layers"][0]["error"] = 0
    report["extra"] = 1

    with pytest.raises(ValueError, match="does not follow schema 1") as caught:
        check_report(report)

    for problem in (
        "run.seed is missing",
        "cost.latency_ms.provenance is 'guessed'",
        "stages.akida.f2 is unknown",
        "stages.loihi is unknown",
        "stages.float.per_class.mel is missing",
        "conversion.layers[0].error is unknown",
        "extra is unknown",
    ):
        assert problem in str(caught.value)


def test_a_block_that_a_run_always_has_must_not_be_null(measure):
    report = {**measure(), "dataset": None}
    with pytest.raises(ValueError, match="dataset is NoneType, not a mapping"):
        check_report(report)


def test_the_file_holds_the_report_and_never_nan(tmp_path):
    path = tmp_path / "report.json"
    write_report_json(path, {"a": float("nan"), "b": [np.float32(0.5), float("inf")], "c": np.int64(3)})

    assert json.loads(path.read_text()) == {"a": None, "b": [0.5, None], "c": 3}
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


def test_equal_runs_leave_equal_files(measure, tmp_path):
    names = ("report.json", "report.html", "predictions.parquet")
    measure()
    first = [(tmp_path / name).read_bytes() for name in names]
    measure()

    assert [(tmp_path / name).read_bytes() for name in names] == first
