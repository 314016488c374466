"""`qana learn`: the words that it takes, and, slow, a whole run that goes on learning."""

import json
from pathlib import Path

import pytest
from hydra.utils import instantiate
from mlflow.tracking import MlflowClient
from warm_command import run_command

from qana.command.composition import compose_all, job_config, parse_arguments
from qana.command.learn import read_request
from qana.errors import QanaError
from qana.schema import find_faults

SMALL = [
    "dataset.images=140",
    "dataset.image_size=32",
    "backbone=akidanet",
    "backbone.stem_channels=4",
    "backbone.conv_widths=[8,8]",
    "backbone.separable_widths=[8,24]",
    "training=debug",
    "evaluation.bootstrap_samples=100",
    "evaluation.host_runs=1",
    "evaluation.host_warmup=0",
    "incremental.seeds=[0,1]",
]


def test_a_protocol_is_short_for_its_group():
    request = read_request(["run=3f2a", "incremental=replay", "protocol=domain", "--dry-run"])
    assert request.reference == "3f2a"
    assert request.arguments == ("incremental=replay", "incremental/protocol=domain")
    assert request.dry_run


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["incremental=replay"], "there is not one run"),
        (["run=", "incremental=replay"], "there is not one run"),
        (["run=a", "run=b"], "run=a and run=b"),
        (["run=a", "protocol=class"], "together with the method"),
    ],
    ids=["none", "empty", "two", "no method"],
)
def test_what_cannot_be_read_is_refused(arguments, named):
    with pytest.raises(QanaError, match=named):
        read_request(arguments)


@pytest.mark.parametrize("method", ["akida_edge", "nearest_mean", "replay", "retraining"])
@pytest.mark.parametrize("protocol", ["class", "few_shot", "domain"])
def test_every_method_and_protocol_is_made_from_its_yaml(method, protocol):
    chosen = [f"incremental={method}", f"incremental/protocol={protocol}", "quantization=w4a4_edge"]
    composition = compose_all(parse_arguments(chosen))
    with job_config(composition.jobs[0], 0) as cfg:
        assert find_faults(cfg, {"backbone": {"num_classes"}}) == []
        incremental = instantiate(cfg.incremental)
        incremental.check(instantiate(cfg.conversion), instantiate(cfg.quantization))
        assert incremental.protocol.described()["name"] == protocol


@pytest.mark.parametrize("recipe", ["incremental_class", "incremental_fewshot", "incremental_domain"])
def test_recipes_choose_a_network_that_the_chip_can_learn_behind(recipe):
    composition = compose_all(parse_arguments([f"experiment={recipe}"]))
    with job_config(composition.jobs[0], 0) as cfg:
        assert find_faults(cfg, {"backbone": {"num_classes"}}) == []
        instantiate(cfg.incremental).check(instantiate(cfg.conversion), instantiate(cfg.quantization))


def qana(folder, *arguments):
    return run_command([*arguments], folder, COLUMNS="200")


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """One trained and converted run that learned classes on the chip's rule."""
    folder = tmp_path_factory.mktemp("learn")
    done = qana(folder, "run", "incremental=akida_edge", "quantization=w4a4_edge", *SMALL)
    assert done.returncode == 0, done.stderr
    return folder


def reports(folder):
    return sorted(folder.glob("outputs/*/*/report.json"), key=lambda path: path.stat().st_mtime)


@pytest.mark.slow
def test_a_run_goes_on_learning_on_the_chips_rule(learned):
    report = json.loads(reports(learned)[0].read_text())
    block = report["incremental"]
    assert block["method"] == "AkidaEdge"
    assert block["features_saw"] == "the base session"
    assert len(block["sessions"]) == 4
    assert report["conversion"]["agreement"] == 1.0
    log = json.loads((reports(learned)[0].parent / "versions" / "updates.json").read_text())
    assert len(log) == 4
    assert block["energy_mj"]["provenance"] == "modelled"


@pytest.mark.slow
def test_a_converted_run_learns_with_another_method_below_the_old_run(learned):
    parent = json.loads(reports(learned)[0].read_text())["run"]["id"]
    before = len(reports(learned))
    dry = qana(
        learned, "learn", f"run={parent[:8]}", "incremental=nearest_mean", "protocol=class", "--dry-run"
    )
    assert dry.returncode == 0, dry.stderr
    assert "nothing is written" in dry.stdout
    assert len(reports(learned)) == before
    arguments = ["incremental=nearest_mean", "protocol=few_shot", "incremental.protocol.lesions=1"]
    done = qana(learned, "learn", f"run={parent[:8]}", *arguments)
    assert done.returncode == 0, done.stderr
    path = reports(learned)[-1]
    report = json.loads(path.read_text())
    assert report["incremental"]["method"] == "NearestMean"
    assert report["incremental"]["features_saw"] == "the base session"
    assert (path.parent / "versions" / "model.v000.npz").exists()
    assert "Learning after deployment" in (path.parent / "report.html").read_text()
    client = MlflowClient(f"sqlite:///{learned}/qana_runs/mlflow.db")
    run = client.get_run(report["run"]["id"])
    assert run.data.tags["mlflow.parentRunId"] == parent
    history = client.get_metric_history(run.info.run_id, "incremental/session/macro_f1")
    assert [entry.step for entry in history] == [0, 1, 2, 3]
    assert "versions" in {Path(item.path).name for item in client.list_artifacts(run.info.run_id)}


@pytest.mark.slow
def test_what_the_network_was_trained_with_cannot_change(learned):
    parent = json.loads(reports(learned)[0].read_text())["run"]["id"]
    done = qana(learned, "learn", f"run={parent[:8]}", "incremental=replay", "quantization=w4a4")
    assert done.returncode == 2
    assert "quantization cannot change" in done.stderr


@pytest.mark.slow
def test_several_methods_learn_under_one_protocol(learned):
    parent = json.loads(reports(learned)[0].read_text())["run"]["id"]
    before = set(learned.glob("multirun/*/*/*/report.json"))
    done = qana(
        learned,
        "learn",
        f"run={parent[:8]}",
        "-m",
        "incremental=nearest_mean,replay",
        "protocol=few_shot",
        "incremental.protocol.lesions=1",
    )
    assert done.returncode == 0, done.stderr
    found = [
        json.loads(path.read_text()) for path in set(learned.glob("multirun/*/*/*/report.json")) - before
    ]
    assert {report["incremental"]["method"] for report in found} == {"NearestMean", "Replay"}
    assert {report["incremental"]["protocol"]["name"] for report in found} == {"few_shot"}
