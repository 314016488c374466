"""The whole command on synthetic data: what a run leaves behind, with a chip, without, and when it fails."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from qana.dataset import SyntheticDermoscopy
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
SMALL = ["training=debug", "dataset.images=70", "dataset.image_size=32", "evaluation.bootstrap_samples=100"]
NARROW = [
    "backbone.stem_channels=4",
    "backbone.widths=[8,8,8]",
    "backbone.depths=[1,1,1]",
    "backbone.features=8",
]


class Ended:
    """A command that has ended, and what it left."""

    def __init__(self, folder: Path, arguments: list[str]) -> None:
        environment = {**os.environ, "COLUMNS": "120"}
        command = [str(Path(sys.executable).parent / "qana"), "run", *arguments]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        self.folder, self.code, self.out, self.err = folder, done.returncode, done.stdout, done.stderr

    @property
    def output(self) -> Path:
        return next(self.folder.glob("outputs/*/*"))

    @property
    def report(self) -> dict:
        return json.loads((self.output / "report.json").read_text())

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(f"sqlite:///{self.folder}/qana_runs/mlflow.db")

    def runs(self) -> list:
        experiment = self.client.get_experiment_by_name("qana")
        return self.client.search_runs([experiment.experiment_id])

    def artifacts(self, run) -> set[str]:
        return {item.path for item in self.client.list_artifacts(run.info.run_id)}


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
    splits = SyntheticDermoscopy(
        images=2000, image_size=64, max_images_per_lesion=3, val_fraction=0.15, test_fraction=0.15, seed=0
    ).load()
    model = LogisticRegression(max_iter=2000, class_weight="balanced")
    model.fit(histograms(splits.train.images), splits.train.target)
    guessed = model.predict(histograms(splits.test.images))
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


@pytest.mark.parametrize("backbone", ["qana", pytest.param("akidanet", marks=pytest.mark.slow)])
def test_second_generation_runs_8_bits(tmp_path, backbone):
    narrow = NARROW if backbone == "qana" else []
    ended = Ended(
        tmp_path, ["conversion=akida2", "quantization=w8a8", f"backbone={backbone}", *SMALL, *narrow]
    )
    assert ended.code == 0, ended.err
    assert ended.report["conversion"]["agreement"] == 1.0
    assert ended.report["mapping"]["hardware_only"] is True


def test_float_run_ends_with_the_float_stage(tmp_path):
    ended = Ended(tmp_path, ["quantization=none", "conversion=none", *SMALL, *NARROW])
    assert ended.code == 0, ended.err
    assert list(ended.report["stages"]) == ["float"]
    assert ended.report["conversion"] is None


def test_failed_conversion_keeps_the_trained_model(tmp_path):
    """A device of another generation: the run is FAILED, says why in one line, and its checkpoint is safe."""
    ended = Ended(tmp_path, ["conversion.device=SixNodesIPv2", *SMALL, *NARROW])
    assert ended.code == 2
    assert "does not fit SixNodesIPv2" in ended.err.splitlines()[0]
    (run,) = ended.runs()
    assert run.info.status == "FAILED"
    assert "does not fit SixNodesIPv2" in run.data.tags["failure"]
    assert {"checkpoint.ckpt", "model.onnx", "model.fbz"} <= ended.artifacts(run)


def test_conversion_past_its_limit_is_one_line(tmp_path):
    ended = Ended(tmp_path, ["conversion.timeout_s=1", *SMALL, *NARROW])
    assert ended.code == 1
    assert "passed its limit of 1 s" in ended.err
    assert "Traceback" not in ended.err
    (run,) = ended.runs()
    assert run.info.status == "FAILED"
    assert "checkpoint.ckpt" in ended.artifacts(run)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["quantization=w8a8"], "akd1000 does not run w8a8"),
        (["quantization=none"], "akd1000 does not run a float network"),
        (["backbone.form=concat"], "a concatenation"),
        (["dataset.image_size=512"], "a global pool over"),
        (["dataset=ham10000", "dataset.root=nowhere"], "nowhere"),
    ],
)
def test_what_cannot_work_is_refused_before_training_and_leaves_nothing(tmp_path, arguments, named):
    ended = Ended(tmp_path, arguments)
    assert ended.code == 2
    assert named in ended.err
    assert [line.split(":")[0].strip() for line in ended.err.splitlines()[1:4]] == ["where", "allowed", "fix"]
    assert not list(tmp_path.iterdir())


def test_sweep_of_two_backbones_and_two_bit_widths_is_one_parent_with_four_children(tmp_path):
    ended = Ended(
        tmp_path,
        ["-m", "backbone=qana,akidanet", "quantization=w4a4,w8a8", "conversion=none", *SMALL],
    )
    assert ended.code == 0, ended.err
    runs = ended.runs()
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert len(runs) == 5
    assert len(children) == 4
    assert all(run.info.status == "FINISHED" for run in runs)
    assert len({run.data.tags["mlflow.parentRunId"] for run in children}) == 1


def test_same_seed_gives_the_same_answers(tmp_path):
    arguments = ["conversion=none", *SMALL, *NARROW]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    logits = []
    for name in ("a", "b"):
        ended = Ended(tmp_path / name, arguments)
        assert ended.code == 0, ended.err
        logits.append(np.stack(pd.read_parquet(ended.output / "predictions.parquet")["logits"]))
    assert np.array_equal(*logits)
