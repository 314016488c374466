"""ONNX files that a user might bring, each with one planted fault, are refused by node and by name."""

import io
import warnings

import onnx
import pytest
import torch
from torch import nn

from qana import cli
from qana.conversion.onnx_to_keras import graph_offences

SIZE = 32


def padded(stride=2):
    """Zeros as the chip puts them: none before and one after at stride 2."""
    return nn.ZeroPad2d((0, 1, 0, 1) if stride == 2 else 1)


def head(generation, channels=8, pool=None):
    """The last convolution with its ReLU and the global pool on the side where the generation wants it."""
    relu, mean = nn.ReLU6(), pool or nn.AdaptiveAvgPool2d(1)
    order = [mean, relu] if generation == 1 else [relu, mean]
    return [nn.Conv2d(channels, 12, 1), *order, nn.Flatten(), nn.Linear(12, 7)]


def network(generation, *middle):
    stem = [
        padded(),
        nn.Conv2d(3, 8, 3, stride=2),
        nn.ReLU6(),
        padded(),
        nn.Conv2d(8, 8, 3, stride=2),
        nn.ReLU6(),
    ]
    return nn.Sequential(*stem, *middle, *head(generation))


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.squeeze = nn.Conv2d(8, 8, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.squeeze(x.mean((2, 3), keepdim=True)))


class TwoHeads(nn.Module):
    def __init__(self, generation):
        super().__init__()
        self.body = network(generation)

    def forward(self, x):
        logits = self.body(x)
        return logits, logits.softmax(1)


def wrong_order(generation):
    return nn.Sequential(*network(generation)[:6], *head(3 - generation))


def with_weights(change):
    def build(generation):
        made = network(generation, nn.Conv2d(8, 8, 3, padding=1), nn.ReLU6())
        with torch.no_grad():
            change(made[6].weight)
        return made

    return build


def wide_pool(generation):
    stem = [padded(), nn.Conv2d(3, 8, 3, stride=2), nn.ReLU6(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU6()]
    return nn.Sequential(*stem, *head(generation))


def plus(*middle):
    return lambda generation: network(generation, *(make() for make in middle))


def conv(**arguments):
    return lambda: nn.Conv2d(8, 8, 3, **arguments)


FAULTS = {
    "a sigmoid gate": (plus(Gate), (1, 2), "igmoid"),
    "an unbounded ReLU": (plus(conv(padding=1), nn.ReLU), (1,), "ReLU without a bound"),
    "a symmetric pad at stride 2": (plus(conv(padding=1, stride=2), nn.ReLU6), (1, 2), "pad"),
    "stride 3": (plus(conv(stride=3), nn.ReLU6), (1, 2), "stride 3"),
    "a dilated convolution": (plus(conv(padding=2, dilation=2), nn.ReLU6), (1, 2), "dilat"),
    "a pad of 2 before and 0 after": (
        plus(lambda: nn.ZeroPad2d((2, 0, 2, 0)), conv(), nn.ReLU6),
        (1, 2),
        "pad",
    ),
    "a pool on the wrong side of its activation": (wrong_order, (1, 2), "global pool"),
    "a global pool over too large a map": (wide_pool, (1, 2), "16x16 = 256 positions"),
    "two outputs": (TwoHeads, (1, 2), "2 outputs"),
    "a layer at which the converter would cut": (plus(nn.Softplus), (1, 2), "Softplus"),
    "a NaN weight": (with_weights(lambda weight: weight[0].fill_(torch.nan)), (1, 2), "finite|NaN"),
    "an all-zero layer": (with_weights(lambda weight: weight.zero_()), (1, 2), "all zero"),
}
CASES = [(fault, generation) for fault, (_, generations, _) in FAULTS.items() for generation in generations]


def exported(made):
    """What a user's own export gives."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            made.eval(),
            (torch.zeros(1, 3, SIZE, SIZE),),
            file,
            dynamo=False,
            opset_version=17,
            input_names=["pixels"],
            dynamic_axes={"pixels": {0: "batch"}},
        )
    return onnx.load_from_string(file.getvalue())


@pytest.mark.parametrize("generation", [1, 2])
def test_network_without_a_fault_is_taken(generation):
    assert graph_offences(exported(network(generation)), generation) == []


@pytest.mark.parametrize(("fault", "generation"), CASES)
def test_planted_fault_is_named_with_its_node_and_what_to_do(fault, generation):
    make, _, named = FAULTS[fault]
    offences = graph_offences(exported(make(generation)), generation)
    found = [offence for offence in offences if _says(offence.found, named)]
    assert found, [offence.found for offence in offences]
    assert all(offence.allowed and offence.rewrite and offence.module for offence in offences)


def _says(text, named):
    return any(each in text for each in named.split("|"))


def test_all_faults_of_a_file_are_named_at_once():
    made = network(1, Gate(), *plus(conv(stride=3), nn.ReLU)(1)[6:8])
    found = " | ".join(offence.found for offence in graph_offences(exported(made), 1))
    assert "igmoid" in found
    assert "stride 3" in found
    assert "ReLU without a bound" in found


@pytest.mark.slow
def test_command_refuses_a_planted_file_with_exit_code_2(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    made = network(2, Gate(), nn.Conv2d(8, 8, 3, stride=3), nn.ReLU6())
    onnx.save(exported(made), str(tmp_path / "mine.onnx"))
    data = ["dataset=synthetic", "dataset.images=105", f"dataset.image_size={SIZE}"]
    code = cli.command(["convert", "onnx=mine.onnx", "conversion=akida2", *data])
    error = capsys.readouterr().err
    assert code == 2, error
    what = error.partition("\n  where:")[0]
    assert "igmoid" in what
    assert "stride 3" in what
