"""The software backend reports a frame rate too: that of this host. It must never pass for the chip's."""

import ast
import dataclasses
import json
from pathlib import Path

import akida
import fabricated_run
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def few_resamples(evaluation):
    """The intervals of the scores are no matter here."""
    evaluation.bootstrap_samples = 100


def simulated(path):
    """A program on the software backend, after it has run, and the frame rate that it claims."""
    program = akida.Model()
    program.add(
        akida.InputConvolutional(input_shape=(32, 32, 3), kernel_size=(3, 3), filters=16, name="layer_0")
    )
    program.add(akida.FullyConnected(units=7, activation=False, name="layer_1"))
    program.save(str(path))
    program.forward(np.ones((200, 32, 32, 3), np.uint8))
    return program.statistics.fps


def numbers(value):
    if isinstance(value, dict):
        return [number for each in value.values() for number in numbers(each)]
    if isinstance(value, list):
        return [number for each in value for number in numbers(each)]
    return [value] if isinstance(value, float) else []


def test_the_frame_rate_of_the_software_backend_is_never_logged_as_the_chips_latency(measure, tmp_path):
    path = tmp_path.parent / f"{tmp_path.name}-model.fbz"
    frames_per_s = simulated(path)
    assert frames_per_s > 0  # the trap: the SDK does give one without a device
    splits = fabricated_run.splits()
    conversion = fabricated_run.conversion(fabricated_run.stage_logits(splits.test.target))

    without = measure()["cost"]
    cost = measure(conversion=dataclasses.replace(conversion, files={"model.fbz": path}))["cost"]

    assert not akida.devices()
    assert cost == without  # the program was there to be run, and nothing of it was taken for the chip's
    assert "measured" not in cost
    found = json.loads((tmp_path / "report.json").read_text())["cost"]
    assert {found[key]["provenance"] for key in ("latency_ms", "energy_mj")} == {"modelled"}
    assert 1e3 / frames_per_s not in numbers(found)
    assert frames_per_s not in numbers(found)


def test_no_module_reads_the_statistics_of_a_program():
    read = []
    for path in (ROOT / "qana").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        modules = {node.names[0].name for node in ast.walk(tree) if isinstance(node, ast.Import)}
        if "fps" in names or ("statistics" in names and "statistics" not in modules):
            read.append(path.name)

    assert not read
