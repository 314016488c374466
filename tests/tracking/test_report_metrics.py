import copy

import pytest

from qana.tracking.parameters import flatten
from qana.tracking.report_metrics import report_metrics, report_tags

REPORT = {
    "schema": 1,
    "run": {"id": "x", "seed": 0, "duration_s": 3.5},
    "backbone": {"name": "qana", "parameters": 109, "macs": 4},
    "stages": {
        "torch": {"accuracy": 0.5, "macro_f1": 0.25, "macro_auroc": None},
        "akida": {
            "accuracy": 0.75,
            "per_class": {"mel": {"recall": 0.5, "support": 8}, "Bowen's/other": {"recall": 1}},
            "ci95": {"macro_f1": [0.1, 0.9]},
        },
    },
    "conversion": {
        "target": "akd1000",
        "agreement": 1.0,
        "macro_f1_drop": {"value": -0.01, "ci95": [-0.03, 0.02]},
        "layers": [{"name": "conv", "max_error_lsb": 0}],
    },
    "mapping": {"nps": 12, "hardware_only": True},
    "cost": {
        "latency_ms": {"value": 1.5, "low": 1.0, "high": 2.0, "provenance": "modelled", "source": "paper"},
        "energy_mj": {"value": 0.2, "low": None, "high": None, "provenance": "modelled", "source": "paper"},
    },
    "host": {"device": "cpu", "latency_ms": {"p50": 3, "p95": 4}, "energy_mj": None},
    "incremental": None,
    "dataset": {
        "fingerprint": "0f" * 32,
        "split": {
            "protocol": "image",
            "group_key": "lesion_id",
            "hash": "5a" * 32,
            "leaked_groups": 2,
            "siblings": {"val": 1, "test": 9},
        },
        "audit": {"near_duplicates": 4},
    },
    "external_test": {
        "size": 150,
        "agreement": 0.75,
        "stages": {"akida": {"accuracy": 0.625, "per_class": {"df": {"recall": None, "support": 0}}}},
    },
}


def test_every_number_of_a_report_has_its_key():
    assert report_metrics(REPORT) == {
        "backbone/parameters": 109,
        "backbone/macs": 4,
        "torch/accuracy": 0.5,
        "torch/macro_f1": 0.25,
        "akida/accuracy": 0.75,
        "akida/per_class/mel/recall": 0.5,
        "akida/per_class/mel/support": 8,
        "akida/per_class/Bowen_s_other/recall": 1,
        "akida/ci95/macro_f1/low": 0.1,
        "akida/ci95/macro_f1/high": 0.9,
        "conversion/agreement": 1.0,
        "conversion/macro_f1_drop": -0.01,
        "conversion/ci95/macro_f1_drop/low": -0.03,
        "conversion/ci95/macro_f1_drop/high": 0.02,
        "mapping/nps": 12,
        "akida/latency_ms": 1.5,
        "akida/latency_ms_low": 1.0,
        "akida/latency_ms_high": 2.0,
        "akida/energy_mj": 0.2,
        "host/latency_ms_p50": 3,
        "host/latency_ms_p95": 4,
        "external/akida/accuracy": 0.625,
        "external/akida/per_class/df/support": 0,
        "external/agreement": 0.75,
    }


def test_provenance_stands_beside_each_cost():
    tags = report_tags(REPORT)
    assert (tags["akida/latency_ms"], tags["akida/energy_mj"]) == ("modelled", "modelled")


def test_runs_can_be_searched_for_the_trust_in_their_split(local, client):
    expected = {
        "dataset_fingerprint": "0f" * 32,
        "split_protocol": "image",
        "split_hash": "5a" * 32,
        "leaked_groups": "2",
        "near_duplicates": "4",
        "test_siblings": "9",
    }
    with local.run("leaky", params={}, tags=report_tags(REPORT)) as tracked:
        pass

    assert report_tags(REPORT).items() >= expected.items()
    experiment = client.get_experiment_by_name("tests").experiment_id
    found = client.search_runs([experiment], "tags.leaked_groups = '2' and tags.split_protocol = 'image'")
    assert tracked.run_id in [run.info.run_id for run in found]


def test_unknown_groups_are_not_counted_as_zero():
    report = copy.deepcopy(REPORT)
    report["dataset"]["split"].update(group_key=None, leaked_groups=0, siblings={"val": 0, "test": 0})

    tags = report_tags(report)

    assert (tags["leaked_groups"], tags["test_siblings"]) == ("not known", "not known")


def test_mlflow_takes_every_key_of_a_report(local, client):
    with local.run("report", params={}, tags=report_tags(REPORT)) as tracked:
        tracked.log_metrics(report_metrics(REPORT))
    assert client.get_run(tracked.run_id).data.metrics == report_metrics(REPORT)


def test_two_numbers_never_share_a_key():
    stages = {"akida": {"per_class": {"a'b": {"recall": 1}, "a`b": {"recall": 0}}}}
    with pytest.raises(ValueError, match="share a metric key"):
        report_metrics({"stages": stages})


def test_config_is_flattened_as_yaml_spells_it():
    config = {"a": {"b": {"c": True}, "empty": {}}, "none": None, "text": "1e-3", "list": [1, {"x": 0.5}]}
    assert flatten(config) == {
        "a.b.c": "true",
        "a.empty": "{}",
        "none": "null",
        "text": "1e-3",
        "list": '[1, {"x": 0.5}]',
    }


def test_changed_images_have_a_key_for_every_kind_and_level():
    drop = {"value": 0.25, "ci95": [0.125, 0.5]}
    row = {"kind": "jpeg_quality", "level": 20.0, "accuracy": 0.5, "macro_f1": 0.375, "macro_f1_drop": drop}
    blocks = {
        "robustness": {"stage": "torch", "images": 9, "changed": [row]},
        "validation": {"macro_f1": 0.75},
    }
    assert report_metrics(blocks) == {
        "validation/macro_f1": 0.75,
        "robustness/jpeg_quality_20/accuracy": 0.5,
        "robustness/jpeg_quality_20/macro_f1": 0.375,
        "robustness/jpeg_quality_20/macro_f1_drop": 0.25,
        "robustness/jpeg_quality_20/ci95/macro_f1_drop/low": 0.125,
        "robustness/jpeg_quality_20/ci95/macro_f1_drop/high": 0.5,
    }
