"""`qana run` with nothing else typed: what it leaves behind, and whether it keeps its promise."""

import numpy as np
import pandas as pd
import pytest
from command_line import Ended
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from synthetic_source import synthetic

from qana.evaluation.contract import check_report

STAGES = ["float", "torch", "onnx", "keras", "quantized_keras", "akida"]
CONTRACT_FILES = {
    "config.yaml",
    "environment.json",
    "checkpoint.ckpt",
    "model.onnx",
    "model.h5",
    "model.fbz",
    "predictions.parquet",
    "report.json",
    "report.html",
}


@pytest.fixture(scope="module")
def default_run(tmp_path_factory):
    """`qana run` with nothing else typed; takes about three minutes on two cores."""
    ended = Ended(tmp_path_factory.mktemp("default"), [])
    assert ended.code == 0, ended.err
    return ended


def test_default_program_reaches_the_promised_score(default_run):
    assert default_run.report["stages"]["akida"]["macro_f1"] >= 0.70


def test_default_network_sees_more_than_colour(default_run):
    """A logistic regression on colour histograms stays at least 0.15 macro F1 below the trained network."""
    splits = synthetic().load()
    model = LogisticRegression(max_iter=2000, class_weight="balanced")
    model.fit(histograms(np.asarray(splits.train.images)), splits.train.target)
    guessed = model.predict(histograms(np.asarray(splits.test.images)))
    baseline = f1_score(splits.test.target, guessed, average="macro")
    assert baseline <= default_run.report["stages"]["torch"]["macro_f1"] - 0.15


def histograms(images: np.ndarray) -> np.ndarray:
    """Share of pixels in each of 4x4x4 colour boxes, (N, 64)."""
    boxes = (images // 64).astype(int)
    index = boxes[..., 0] * 16 + boxes[..., 1] * 4 + boxes[..., 2]
    return np.stack([np.bincount(image.ravel(), minlength=64) / image.size for image in index])


def test_default_run_writes_the_whole_contract(default_run):
    check_report(default_run.report)
    assert list(default_run.report["stages"]) == STAGES
    assert {path.name for path in default_run.output.iterdir()} >= CONTRACT_FILES


def test_program_says_what_the_trained_network_says(default_run):
    conversion = default_run.report["conversion"]
    assert conversion["agreement"] == 1.0
    assert conversion["coverage"] == 1.0
    errors = [layer["max_error_lsb"] for layer in conversion["layers"] if layer["max_error_lsb"] is not None]
    assert len(errors) == 9
    assert max(errors) == 0


def test_program_runs_on_the_chip_alone_in_one_pass(default_run):
    mapping = default_run.report["mapping"]
    assert mapping["hardware_only"] is True
    assert mapping["passes"] == 1
    assert 0 < mapping["nps"] <= 78


def test_costs_say_that_they_are_modelled(default_run):
    for name in ("latency_ms", "energy_mj"):
        cost = default_run.report["cost"][name]
        assert cost["provenance"] == "modelled"
        assert cost["low"] <= cost["value"] <= cost["high"]


def test_scores_can_be_recomputed_from_the_predictions_alone(default_run):
    rows = pd.read_parquet(default_run.output / "predictions.parquet")
    akida = rows[rows["stage"] == "akida"]
    guessed = np.stack(akida["logits"]).argmax(1)
    macro_f1 = f1_score(akida["target"], guessed, average="macro")
    assert macro_f1 == pytest.approx(default_run.report["stages"]["akida"]["macro_f1"])


def test_everything_is_in_mlflow(default_run):
    (run,) = default_run.runs()
    assert run.info.status == "FINISHED"
    assert default_run.artifacts(run) >= CONTRACT_FILES
    report = default_run.report
    assert run.data.metrics["akida/macro_f1"] == report["stages"]["akida"]["macro_f1"]
    assert run.data.metrics["akida/energy_mj"] == report["cost"]["energy_mj"]["value"]
    assert run.data.params["conversion.name"] == "akd1000"
    assert run.info.run_id == report["run"]["id"]


def test_terminal_ends_with_the_result_and_no_foreign_noise(default_run):
    for text in (
        "quantized_keras",
        "agreement",
        "latency",
        "energy",
        "modelled",
        "report.html",
        "ui --backend",
    ):
        assert text in default_run.out
    everything = default_run.out + default_run.err
    for noise in ("tensorflow", "cuda", "Warning", "INFO"):
        assert noise not in everything
