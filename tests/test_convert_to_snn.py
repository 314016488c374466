"""`qana convert run=ID conversion=snn`: the float network of a quantized run as a spiking one."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from recorded_runs import AKIDANET, V1, record_run

from qana.backbone.timm_import import import_torchvision
from qana.command.convert import main

import_torchvision()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The folder and the id of one run of a small AkidaNet, 4 bits, in the form of Akida v1."""
    folder = tmp_path_factory.mktemp("store")
    return folder, record_run(folder, *AKIDANET, *V1)


def logits(folder, stage):
    rows = pd.read_parquet(folder / "predictions.parquet")
    return np.stack(rows[rows["stage"] == stage].sort_values("image_id")["logits"])


@pytest.mark.slow
def test_the_very_float_network_of_a_quantized_run_spikes(store, monkeypatch):
    folder, run_id = store
    monkeypatch.chdir(folder)
    code = main([f"run={run_id}", "conversion=snn", "quantization=none", "conversion.time_steps=[2,32]"])
    assert code == 0
    (made,) = Path(folder).glob("outputs/*/*")
    report = json.loads((made / "report.json").read_text())
    assert list(report["stages"]) == ["float", "snn"]
    assert report["backbone"]["form"] == "separable"  # as it was trained, not as snn.yaml builds one
    np.testing.assert_allclose(logits(made, "float"), logits(folder / "trained", "float"), atol=1e-5)
    assert [reading["time_steps"] for reading in report["snn"]["curve"]] == [2, 32]
    assert report["snn"]["synops"] > 0


@pytest.mark.slow
def test_the_grid_of_a_quantized_run_is_not_taken_along(store, monkeypatch, capsys):
    folder, run_id = store
    monkeypatch.chdir(folder)
    assert main([f"run={run_id}", "conversion=snn"]) == 2
    shown = capsys.readouterr().err
    assert "snn takes a float network, not one quantized to w4a4" in shown
    assert "allowed: quantization=none" in shown
