"""What each layer of the network costs, in the report and on its page."""

import dataclasses
import json

import pytest
from fabricated_run import backbone_info

from qana.backbone import LayerComplexity
from qana.evaluation.contract import LAYER_COSTS, check_report

LAYERS = (
    LayerComplexity("blocks.0", "conv", (32, 32, 16), 464, 442_368, 14_336),
    LayerComplexity("blocks.1", "dense", (1, 1, 7), 119, 112, 36),
)


@pytest.fixture
def report(measure):
    return measure(backbone=dataclasses.replace(backbone_info(), layers=LAYERS))


def test_the_report_keeps_the_costs_of_every_layer_and_their_peak(report):
    check_report(report)
    read = json.loads(json.dumps(report))["backbone"]
    assert [row["module"] for row in read["layers"]] == ["blocks.0", "blocks.1"]
    assert read["layers"][0] == {
        "module": "blocks.0",
        "kind": "conv",
        "output_shape": [32, 32, 16],
        "parameters": 464,
        "macs": 442_368,
        "activation_bytes": 14_336,
    }
    assert read["peak_activation_bytes"] == 14_336


def test_the_contract_lists_every_cost_of_a_layer():
    assert tuple(field.name for field in dataclasses.fields(LayerComplexity)) == LAYER_COSTS


def test_a_network_from_a_file_has_no_layers_in_the_report(measure):
    assert not {"layers", "peak_activation_bytes"} & set(measure()["backbone"])


def test_an_unknown_cost_breaks_the_contract(report):
    report["backbone"]["layers"] = [{**dataclasses.asdict(LAYERS[0]), "energy": 1}]
    with pytest.raises(ValueError, match=r"backbone\.layers\[0\]\.energy is unknown"):
        check_report(report)


def test_every_layer_of_the_network_is_on_the_page(report, tmp_path):
    page = (tmp_path / "report.html").read_text()
    assert "14,336" in page
    assert all(layer.module in page for layer in LAYERS)
