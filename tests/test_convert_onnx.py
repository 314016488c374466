"""`qana convert onnx=FILE`: one real conversion of a file from elsewhere, and all that is refused before."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from mlflow.tracking import MlflowClient
from torch import nn
from warm_command import run_command

from qana.backbone.timm_import import import_torchvision
from qana.command.composition import compose_all, job_config, parse_arguments
from qana.command.convert import main
from qana.command.convert_onnx import InputScaling, read_scaling
from qana.conversion.onnx_file import OnnxFile
from qana.errors import QanaError

import_torchvision()

from qana.command.foreign_conversion import convert_file  # noqa: E402

SMALL = [
    "dataset=synthetic",
    "dataset.images=105",
    "dataset.image_size=32",
    "evaluation.bootstrap_samples=100",
]
SCALE = 1 / 127.5


class Elsewhere(nn.Module):
    """A plain torch network that takes (x - 127.5) / 127.5 and pads as the chip does."""

    def __init__(self, classes):
        super().__init__()
        self.features = nn.Sequential(
            nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(),
            nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(8, 8, 3, stride=2), nn.ReLU(),
            nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.classifier = nn.Linear(16, classes)

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


def export(path, classes=7):
    torch.manual_seed(0)
    network = Elsewhere(classes).eval()
    with torch.no_grad():
        network.classifier.weight.mul_(200.0)  # logits that tell images apart
    torch.onnx.export(network, torch.zeros(1, 3, 32, 32), path, input_names=["image"], dynamo=False)
    return network


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A folder with a file of a network, and the network."""
    folder = tmp_path_factory.mktemp("elsewhere")
    return folder, export(folder / "net.onnx")


@pytest.fixture(scope="module")
def converted(elsewhere):
    folder, _ = elsewhere
    command = ["convert", "onnx=net.onnx", *SMALL, "conversion=akida2", "quantization=w8a8"]
    command += [f"input_scale={SCALE}", "input_offset=-1"]
    done = run_command(command, folder, COLUMNS="200")
    assert done.returncode == 0, done.stderr
    return next(folder.glob("outputs/*/*")), done.stdout


@pytest.mark.slow
def test_file_from_elsewhere_becomes_a_measured_program(converted):
    folder, out = converted
    report = json.loads((folder / "report.json").read_text())
    assert list(report["stages"]) == ["onnx", "keras", "quantized_keras", "akida"]
    assert report["conversion"]["target"] == "akida2"
    assert report["mapping"]["hardware_only"] is True
    assert report["backbone"]["name"] == "net"
    assert report["backbone"]["parameters"] == sum(p.numel() for p in Elsewhere(7).parameters()) - 16
    assert {"model.onnx", "model.h5", "model.fbz"} <= {path.name for path in folder.iterdir()}
    assert "quantized after training: expect some loss" in out


@pytest.mark.slow
def test_first_stage_is_the_network_on_scaled_pixels(converted, elsewhere):
    """Said by torch, for the images of the test split drawn again."""
    from synthetic_source import synthetic

    folder, network = converted[0], elsewhere[1]
    splits = synthetic(images=105, image_size=32).load()
    images = torch.from_numpy(np.asarray(splits.test.images)).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        wanted = network(images / 127.5 - 1)
    rows = pd.read_parquet(folder / "predictions.parquet")
    rows = rows[rows["stage"] == "onnx"].set_index("image_id").loc[list(splits.test.image_ids)]
    assert wanted.std(0).min() > 0.1
    assert np.allclose(np.stack(rows["logits"]), wanted, atol=1e-3)


@pytest.mark.slow
def test_run_says_which_file_it_came_from(converted, elsewhere):
    report = json.loads((converted[0] / "report.json").read_text())
    run = MlflowClient(f"sqlite:///{elsewhere[0]}/qana_runs/mlflow.db").get_run(report["run"]["id"])
    file = OnnxFile.read(elsewhere[0] / "net.onnx")
    assert run.info.run_name == "net-to-akida2"
    assert run.data.params["onnx.sha256"] == file.sha256
    assert run.data.tags["converted_from"] == f"net.onnx sha256:{file.sha256[:16]}"
    assert not [name for name in run.data.params if name.startswith(("backbone.", "training."))]


def test_input_scaling_is_one_number_or_three():
    scaling, rest = read_scaling(["input_scale=0.5", "seed=1", "input_offset=[1,-2,3e-1]"])
    assert scaling == InputScaling((0.5, 0.5, 0.5), (1.0, -2.0, 0.3))
    assert rest == ["seed=1"]
    assert "pixels from 0 to 255 as they are" in read_scaling([])[0].text


@pytest.mark.parametrize(
    "text", ["input_scale=half", "input_scale=[1,2]", "input_offset=NaN", "input_scale=true", "input_scale="]
)
def test_unreadable_scaling_is_refused(text):
    with pytest.raises(QanaError, match="cannot be read") as caught:
        read_scaling([text])
    assert caught.value.where == text


@pytest.mark.parametrize(
    ("arguments", "what", "where"),
    [
        ([], "no data are named", "dataset"),
        (
            ["dataset=synthetic", "backbone=akidanet", "training.patience=3"],
            "neither built nor",
            "backbone=akid",
        ),
        (["dataset=nothing"], "dataset has no choice 'nothing'", "dataset = nothing"),
        (["dataset=synthetic", "conversion.nods=1"], "conversion has no key 'nods'", "conversion.nods = 1"),
    ],
)
def test_unfit_overrides_are_refused(elsewhere, arguments, what, where):
    with pytest.raises(QanaError) as caught:
        main([f"onnx={elsewhere[0]}/net.onnx", *arguments])
    assert what in caught.value.what
    assert where in caught.value.where


@pytest.mark.parametrize("content", [None, b"", b"no network\n"])
def test_file_that_is_no_network_is_refused(tmp_path, content):
    path = tmp_path / "net.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(QanaError, match="the ONNX file cannot be read"):
        OnnxFile.read(path)


@pytest.mark.parametrize(
    ("classes", "arguments", "what"),
    [
        (5, ["conversion=akida2", "quantization=w8a8"], "the network knows 5 classes, the data have 7"),
        (7, ["conversion=none"], "there is no target to convert for"),
        (7, ["conversion=akida2", "quantization=none"], "is quantized here, and not by none"),
        (
            7,
            ["conversion=akida2", "quantization=w8a8", "evaluation.robustness.images=null"],
            "changed images are put to the trained network, and a file brings none that torch runs",
        ),
        (
            7,
            ["conversion=akida2", "quantization=w8a8", "evaluation.views=8"],
            "orientations are put to the trained network, and a file brings none that torch runs",
        ),
    ],
)
def test_network_that_cannot_be_converted_is_refused_before_the_data_are_read(
    tmp_path, monkeypatch, classes, arguments, what
):
    monkeypatch.chdir(tmp_path)
    export(tmp_path / "net.onnx", classes)
    composition = compose_all(parse_arguments([*SMALL, *arguments]))
    file, scaling = OnnxFile.read(tmp_path / "net.onnx"), read_scaling([])[0]
    with job_config(composition.jobs[0], 0) as cfg, pytest.raises(QanaError) as caught:
        convert_file(file, scaling, cfg)
    assert what in caught.value.what
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]
