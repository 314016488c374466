import ast
from dataclasses import replace
from pathlib import Path

import fabricated_run
import numpy as np
import pytest
from torch import nn

from qana.console import console
from qana.errors import QanaError
from qana.evaluation import Evaluation, print_summary

PACKAGE = Path(__file__).parents[2] / "qana" / "evaluation"


FILES = ["figures", "near_duplicates.csv", "predictions.parquet", "report.html", "report.json", "split.json"]


def test_a_run_leaves_its_files_and_nothing_half_written(measure, tmp_path):
    measure()

    assert sorted(p.name for p in tmp_path.iterdir()) == FILES
    assert not list(tmp_path.rglob("*.partial"))


def test_the_host_block_comes_from_the_float_network(measure):
    network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1))

    host = measure(float_network=network)["host"]

    assert 0 < host["latency_ms"]["p50"] <= host["latency_ms"]["p95"]


def test_broken_logits_stop_the_evaluation_before_anything_is_written(measure, tmp_path):
    logits = fabricated_run.stage_logits(fabricated_run.splits().test.target)
    logits["keras"] = np.full_like(logits["keras"], np.nan)

    with pytest.raises(QanaError, match=r"400 of 400 images .* at stage keras"):
        measure(stage_logits=logits)
    assert not list(tmp_path.iterdir())


def test_settings_that_cannot_give_an_interval_are_refused(evaluation_settings):
    with pytest.raises(QanaError, match="5 bootstrap samples") as caught:
        Evaluation(**{**evaluation_settings, "bootstrap_samples": 5})
    assert "evaluation.bootstrap_samples = 5" in caught.value.where


def test_the_summary_shows_every_stage_and_where_to_look_next(measure, tmp_path):
    report = measure()
    long_path = tmp_path / ("a-folder-with-a-long-name-" * 5) / "report.html"

    with console.capture() as captured:
        page = {
            "ui_command": "mlflow ui --port 5000",
            "ui_page": "http://127.0.0.1:5000/#/runs?" + 99 * "x",
        }
        print_summary(report, report_path=long_path, **page)
    shown = captured.get()

    for stage, scores in report["stages"].items():
        line = next(line for line in shown.splitlines() if f" {stage} " in line)
        assert f"{100 * scores['accuracy']:.1f} %" in line
        assert f"{100 * scores['macro_f1']:.1f} %" in line
    assert "99.5 % of test images" in shown
    assert shown.count("modelled") == 2
    assert str(long_path) in shown
    assert f"MLflow UI  {page['ui_command']}\nthen open  {page['ui_page']}\n" in shown


def summary_of(report, tmp_path):
    with console.capture() as captured:
        print_summary(report, report_path=tmp_path, ui_command="mlflow ui")
    return captured.get()


def test_the_summary_says_how_the_data_were_split(measure, tmp_path):
    shown = summary_of(measure(), tmp_path)

    assert "by lesion, fold 0 of 5: 0 leaked groups, 12 near-duplicate pairs\n" in shown


def test_the_summary_warns_of_siblings_in_training(measure, tmp_path):
    shown = summary_of(measure(splits=fabricated_run.image_split(siblings=37)), tmp_path)

    assert "by image, fold 0 of 5: 2 leaked groups" in shown
    assert "37 of 400 test images have a sibling in training" in shown


def test_the_summary_does_not_count_unknown_groups_as_zero(measure, tmp_path):
    splits = replace(fabricated_run.splits(), protocol="image", group_key=None)

    shown = summary_of(measure(splits=splits), tmp_path)

    assert "by image, fold 0 of 5: groups not known, 12 near-duplicate pairs\n" in shown


def test_the_summary_gives_the_external_test_one_line(measure_external, tmp_path):
    report, _ = measure_external()
    found = report["external_test"]

    shown = summary_of(report, tmp_path)

    (line,) = (line for line in shown.splitlines() if line.startswith("external"))
    assert f"isic2018, {found['size']} images" in line
    assert f"accuracy {100 * found['stages']['akida']['accuracy']:.1f} %" in line
    assert "over 5 classes at akida; 3 near-duplicates of training images" in line


def test_the_evaluation_imports_no_heavy_dependency():
    forbidden = {"tensorflow", "tf_keras", "onnx", "onnxruntime", "akida", "cnn2snn", "mlflow", "hydra"}
    imported = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])

    assert not imported & forbidden
