"""The table of networks that answer together, against scikit-learn."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from qana.dataset import ImageSet
from qana.evaluation.predictions import write_predictions

SCRIPT = Path(__file__).parents[1] / "scripts" / "table_ensembles.py"
IMAGES, CLASSES = 60, ("a", "b", "c")


def drawn(folder, name, *, seed, images_of):
    """A run on test images of its own seed, right more often than not."""
    target = np.arange(IMAGES) % 3
    logits = np.random.default_rng(seed).normal(0, 1, (IMAGES, 3)) + 1.2 * np.eye(3)[target]
    ids = tuple(f"{images_of}-{index}" for index in range(IMAGES))
    images = ImageSet(np.zeros((IMAGES, 2, 2, 3), np.uint8), target, ids, ids)
    (folder / name).mkdir(parents=True)
    stages = {"float": logits.astype(np.float32)}
    write_predictions(folder / name / "predictions.parquet", images, CLASSES, stages)
    (folder / name / "report.json").write_text(json.dumps({"run": {"name": name}}))
    return target, logits


def table(folder, *more):
    command = [sys.executable, SCRIPT, folder / "runs", "--out", folder / "found.csv", *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def percent(target, logits):
    return 100 * f1_score(target, logits.argmax(1), average="macro")


def test_networks_on_the_same_images_answer_by_their_mean(tmp_path):
    runs = tmp_path / "runs"
    target, one = drawn(runs, "one-seed0", seed=0, images_of=0)
    _, two = drawn(runs, "two-seed0", seed=1, images_of=0)
    _, other = drawn(runs, "one-seed1", seed=2, images_of=1)
    done = table(tmp_path)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((tmp_path / "found.csv").open()))
    assert [row["networks"] for row in rows] == ["one-seed0 two-seed0", "one-seed1", "mean"]
    both, single, mean = rows
    alone, together = (percent(target, one) + percent(target, two)) / 2, percent(target, one + two)
    assert together != pytest.approx(alone)
    assert float(both["alone_macro_f1"]) == pytest.approx(alone, abs=0.05)
    assert float(both["together_macro_f1"]) == pytest.approx(together, abs=0.05)
    assert float(single["together_macro_f1"]) == pytest.approx(percent(target, other), abs=0.05)
    assert float(mean["together_macro_f1"]) == pytest.approx((together + percent(target, other)) / 2, abs=0.1)
    assert "| one-seed0 two-seed0 |" in (tmp_path / "found.md").read_text()


def test_a_stage_that_is_missing_and_a_run_twice_are_named(tmp_path):
    drawn(tmp_path / "runs", "one-seed0", seed=0, images_of=0)
    assert "no stage akida in one-seed0" in table(tmp_path, "--stage", "akida").stderr
    drawn(tmp_path / "runs" / "again", "one-seed0", seed=0, images_of=0)
    assert "several runs are called one-seed0" in table(tmp_path).stderr
