"""The spiking network in the report, on the page, on the terminal and in MLflow."""

import copy
import re
from dataclasses import replace
from pathlib import Path

import fabricated_run
import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf
from sklearn.metrics import accuracy_score, f1_score
from test_report_page import Page

from qana.console import console
from qana.conversion.snn.product import Spiking, SpikingLayer
from qana.evaluation import print_summary
from qana.evaluation.contract import check_report
from qana.evaluation.page.spiking_section import spiking as spiking_section
from qana.tracking.report_metrics import metrics_over_time, report_metrics

CONF = Path(__file__).parents[2] / "conf"
TIMES = (1, 4, 16)


def layer(name, kind, neurons, threshold, rate, synapses, images):
    """Spikes at the same rate throughout; the first layer's synapses are 0, the head has no neurons."""
    rng = np.random.default_rng(len(name))
    per_step = rng.uniform(0.5, 1.5, images) * rate * neurons
    spikes = np.outer(TIMES, per_step)
    return SpikingLayer(name, kind, neurons, threshold, spikes, np.outer(TIMES, np.full(images, synapses)))


@pytest.fixture(scope="module")
def said():
    """Three readings of the fabricated run, the last of which is closest to the float network."""
    target = fabricated_run.splits().test.target
    reference = fabricated_run.stage_logits(target)["float"]
    rng = np.random.default_rng(5)
    noise = [rng.normal(scale=scale, size=reference.shape) for scale in (3.0, 1.0, 0.2)]
    return reference, np.stack([reference + each for each in noise]).astype(np.float32)


@pytest.fixture(scope="module")
def spiking(said):
    images = said[1].shape[1]
    layers = (
        layer("blocks.0", "conv", 200, 1.25, 0.1, 0.0, images),
        layer("blocks.1.primary", "pointwise", 100, 0.75, 0.2, 300.0, images),
        layer("blocks.2", "dense", 0, None, 0.0, 50.0, images),
    )
    return Spiking("snn", 99.9, 256, 0.5, TIMES, said[1], layers, input_macs=5_400)


def measured(spiking, reference, folder):
    """The report of a float run that became a spiking network, and its page."""
    config = OmegaConf.create({"seed": 7, "evaluation": OmegaConf.load(CONF / "evaluation" / "default.yaml")})
    config.evaluation.bootstrap_samples = 100
    report = instantiate(config.evaluation).measure(
        folder=folder,
        run=fabricated_run.run_info(),
        splits=fabricated_run.splits(),
        backbone=fabricated_run.backbone_info(),
        quantization=fabricated_run.quantization_info(),
        float_network=None,
        stage_logits={"float": reference, "snn": spiking.logits},
        external_logits=None,
        conversion=None,
        incremental=None,
        versions={},
        spiking=spiking,
    )
    return report, Page((folder / "report.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def spiked(said, spiking, tmp_path_factory):
    return measured(spiking, said[0], tmp_path_factory.mktemp("spiked"))


def test_every_reading_is_scored_as_scikit_learn_does(spiked, said):
    target = fabricated_run.splits().test.target
    for reading, logits in zip(spiked[0]["snn"]["curve"], said[1], strict=True):
        preds = logits.argmax(1)
        assert reading["accuracy"] == pytest.approx(accuracy_score(target, preds))
        assert reading["macro_f1"] == pytest.approx(f1_score(target, preds, average="macro"))
        assert reading["agreement"] == (preds == said[0].argmax(1)).mean()
        low, high = reading["ci95"]["macro_f1"]
        assert low < reading["macro_f1"] < high


def test_the_last_reading_is_the_stage(spiked):
    report, _ = spiked
    last, stage = report["snn"]["curve"][-1], report["stages"]["snn"]
    assert list(report["stages"]) == ["float", "snn"]
    assert [last["accuracy"], last["macro_f1"]] == [stage["accuracy"], stage["macro_f1"]]
    assert last["ci95"] == {name: stage["ci95"][name] for name in ("accuracy", "macro_f1")}
    drop = report["stages"]["float"]["macro_f1"] - stage["macro_f1"]
    assert report["snn"]["macro_f1_drop"]["value"] == pytest.approx(drop)


def test_spikes_and_operations_are_means_over_images(spiked, spiking):
    found = spiked[0]["snn"]
    total = sum(each.spikes[-1].mean() for each in spiking.layers)
    assert found["neurons"] == 300
    assert found["spikes_per_neuron"] == pytest.approx(total / 300)
    assert [reading["synops"] for reading in found["curve"]] == [350 * times for times in TIMES]
    assert found["layers"][1]["firing_rate"] == pytest.approx(spiking.layers[1].spikes[-1].mean() / 100 / 16)
    assert found["layers"][2]["firing_rate"] is None


def test_a_curve_that_does_not_end_at_the_stage_breaks_the_contract(spiked):
    report, _ = spiked
    check_report(report)
    for spoil, problem in [
        (lambda snn: snn["curve"].pop(), r"snn.curve has readings at \[1, 4\]"),
        (lambda snn: snn["curve"].reverse(), "not ascending up to snn.time_steps"),
        (lambda snn: snn["curve"][-1].update(accuracy=0.0), "ends with accuracy 0.0"),
        (lambda snn: snn.pop("synops"), "snn.synops is missing"),
        (lambda snn: snn["layers"][0].update(energy=1), r"snn.layers\[0\].energy is unknown"),
    ]:
        spoilt = copy.deepcopy(report)
        spoil(spoilt["snn"])
        with pytest.raises(ValueError, match=problem):
            check_report(spoilt)


def test_the_page_shows_every_reading_and_layer(spiked):
    report, page = spiked
    assert "Spiking network" in page.text
    for reading in report["snn"]["curve"]:
        assert f"T = {reading['time_steps']}: Accuracy {100 * reading['accuracy']:.1f} %" in page.text
    for each in report["snn"]["layers"]:
        assert each["name"] in page.words
    assert "Simulated and counted, not measured on a device." in page.text
    assert "no conversion" not in page.text


def test_a_run_without_spikes_has_neither_section_nor_curve(spiked):
    report = {name: block for name, block in spiked[0].items() if name != "snn"}
    assert spiking_section(report) == ""
    assert list(metrics_over_time(report)) == []


@pytest.mark.parametrize("times", [(1,), (1, 3)])
def test_a_short_curve_is_drawn_too(said, spiking, tmp_path, times):
    kept = len(times)
    layers = [replace(each, spikes=each.spikes[:kept], synops=each.synops[:kept]) for each in spiking.layers]
    short = replace(spiking, time_steps=times, logits_over_time=said[1][:kept], layers=tuple(layers))
    _, page = measured(short, said[0], tmp_path)
    assert not [value for _, value in page.attributes if value and re.search(r"\b(nan|inf)\b", value)]
    assert [f"T = {steps}: Macro F1" in page.text for steps in times] == [True] * kept


def test_mlflow_gets_the_curve_over_time_steps(spiked):
    report, _ = spiked
    over_time = dict(metrics_over_time(report))
    assert list(over_time) == list(TIMES)
    last = report["snn"]["curve"][-1]
    assert over_time[16]["snn/curve/macro_f1"] == last["macro_f1"]
    assert over_time[16]["snn/curve/ci95/macro_f1/low"] == last["ci95"]["macro_f1"][0]
    assert over_time[16]["snn/curve/synops"] == 350 * 16
    metrics = report_metrics(report)
    assert metrics["snn/synops"] == 350 * 16
    assert metrics["snn/accuracy"] == last["accuracy"]
    assert not set(metrics) & set(over_time[16])


def test_the_terminal_says_what_the_spikes_cost(spiked, tmp_path):
    report, _ = spiked
    with console.capture() as captured:
        print_summary(report, report_path=tmp_path, ui_command="mlflow ui")
    line = next(line for line in captured.get().splitlines() if line.startswith("spiking"))
    assert "16 time steps: macro F1 drop" in line
    assert "5.6e+03 synaptic operations per image" in line
