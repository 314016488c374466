"""The table of a grid of settings: best first, means by setting, validation images only."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "table_search.py"
# (decay, crop) -> macro F1 on validation images
SCORES = {(0.02, 1.0): 0.5, (0.02, 0.6): 0.61, (0.3, 1.0): 0.55, (0.3, 0.6): 0.7}


@pytest.fixture
def grid(tmp_path):
    for number, ((decay, crop), score) in enumerate(SCORES.items()):
        folder = tmp_path / "sweep" / str(number)
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(f"training: {{weight_decay: {decay}, crop: {crop}}}\n")
        found = {"macro_f1": score, "accuracy": score + 0.1, "macro_auroc": 0.9}
        validation = {**found, "ci95": {"macro_f1": [score - 0.05, score + 0.05]}}
        test = {"float": {"macro_f1": 1 - score}}  # would turn the order round
        report = {"run": {"seed": 7}, "validation": validation, "stages": test}
        (folder / "report.json").write_text(json.dumps(report))
    return tmp_path


def table(folder, keys):
    command = [sys.executable, SCRIPT, folder / "sweep", "--keys", keys, "--out", folder / "found.csv"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_runs_come_best_first_and_settings_with_their_mean(grid):
    assert table(grid, "training.weight_decay,training.crop").returncode == 0
    rows = list(csv.DictReader((grid / "found.csv").open()))
    assert [(row["training.weight_decay"], row["training.crop"], row["macro_f1"]) for row in rows] == [
        ("0.3", "0.6", "70.0"), ("0.02", "0.6", "61.0"), ("0.3", "1.0", "55.0"), ("0.02", "1.0", "50.0"),
    ]  # fmt: skip
    assert rows[0]["macro_f1_lesions_ci95"] == "65.0 to 75.0"
    assert rows[0]["seed"] == "7"
    page = (grid / "found.md").read_text()
    assert "| `training.weight_decay` | 0.02 | 2 | 55.5 | 65.5 | 90.0 |" in page
    assert "| `training.crop` | 0.6 | 2 | 65.5 | 75.5 | 90.0 |" in page


def test_null_is_a_value_like_any_other(grid):
    (grid / "sweep" / "0" / "config.yaml").write_text("training: {weight_decay: null, crop: [1, 2]}\n")
    assert table(grid, "training.weight_decay,training.crop").returncode == 0
    page = (grid / "found.md").read_text()
    assert "| `training.weight_decay` | None | 1 | 50.0 |" in page
    assert "| `training.crop` | [1, 2] | 1 | 50.0 |" in page


def test_a_report_without_validation_scores_is_named(grid):
    (grid / "sweep" / "2" / "report.json").write_text('{"run": {"seed": 7}}')
    done = table(grid, "training.crop")
    assert done.returncode == 2
    assert f"no validation scores in {grid}/sweep/2/report.json" in done.stderr


def test_a_setting_that_no_run_has_is_refused(grid):
    done = table(grid, "training.weight_decay,training.crops")
    assert done.returncode == 2
    assert "no setting training.crops in" in done.stderr
    assert not (grid / "found.csv").exists()
