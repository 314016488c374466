"""A spiking network from the command line: the whole run, and the recipe of the baseline."""

import pytest
from command_line import Ended
from omegaconf import OmegaConf
from test_run import NARROW, SMALL

from qana.command.composition import compose_all, job_config, parse_arguments
from qana.run import SUPPLIED
from qana.schema import check

SPIKING = ["quantization=none", "conversion=snn"]


def test_a_run_ends_with_a_spiking_network_and_its_curve_over_time(tmp_path):
    ended = Ended(tmp_path, [*SPIKING, "conversion.time_steps=[2,6]", *SMALL, *NARROW])
    assert ended.code == 0, ended.err
    report = ended.report
    assert list(report["stages"]) == ["float", "snn"]
    assert [reading["time_steps"] for reading in report["snn"]["curve"]] == [2, 6]
    assert report["conversion"] is None
    (run,) = ended.runs()
    history = ended.client.get_metric_history(run.info.run_id, "snn/curve/macro_f1")
    assert [(entry.step, entry.value) for entry in history] == [
        (reading["time_steps"], reading["macro_f1"]) for reading in report["snn"]["curve"]
    ]
    assert run.data.metrics["snn/synops"] == report["snn"]["synops"] > 0


def test_a_quantized_run_is_refused_before_training_and_leaves_nothing(tmp_path):
    ended = Ended(tmp_path, ["conversion=snn"], tracks=False)
    assert ended.code == 2
    assert "target snn takes a float network, not one quantized to w4a4" in ended.err
    assert not list(tmp_path.iterdir())


def composed(*overrides):
    composition = compose_all(parse_arguments(list(overrides)))
    with job_config(composition.jobs[0], 0) as cfg:
        check(cfg, SUPPLIED)
        return OmegaConf.to_container(cfg, resolve=True)


@pytest.mark.parametrize("backbone", ["qana", "akidanet", "vgg_small", "mobilenet_v1"])
def test_the_baseline_is_made_from_the_float_network_of_the_akida_run(backbone):
    spiking = composed("experiment=snn_baseline", f"backbone={backbone}", "dataset.root=nowhere")
    akida = composed(
        "experiment=ham10000_quick", f"backbone={backbone}", "conversion=akida2", "dataset.root=nowhere"
    )
    assert (spiking["conversion"]["name"], spiking["name"]) == ("snn", f"snn-{backbone}-seed0")
    for group in ("backbone", "dataset", "training"):
        assert spiking[group] == akida[group]
