"""`qana convert run=ID`: two real conversions of one recorded run, and all that is refused before one."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
from hydra.utils import instantiate
from mlflow.tracking import MlflowClient
from omegaconf import OmegaConf
from PIL import Image
from recorded_runs import AKIDANET, V1, record_run
from warm_command import run_command

from qana.backbone.timm_import import import_torchvision
from qana.command.composition import config_directory, job_config, parse_arguments
from qana.command.convert import main
from qana.command.convert_run import compose_recorded
from qana.errors import QanaError

import_torchvision()

from qana.command.reconvert import reconvert  # noqa: E402


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The folder of one run of a small AkidaNet in the v1 form, 4 bits, that no chip was asked for."""
    folder = tmp_path_factory.mktemp("store")
    record_run(folder, *AKIDANET, *V1)
    return folder


@pytest.fixture(scope="module")
def client(store):
    return MlflowClient(f"sqlite:///{store}/qana_runs/mlflow.db")


@pytest.fixture(scope="module")
def source(client):
    """The recorded run."""
    experiment = client.get_experiment_by_name("qana").experiment_id
    (run,) = client.search_runs([experiment], "attributes.run_name = 'akidanet-w4a4-none'")
    return run


@pytest.fixture
def here(store, monkeypatch):
    """Commands are typed where the store is."""
    monkeypatch.chdir(store)
    return store


@pytest.fixture
def composed(here, source, tmp_path):
    """Compose a conversion of the recorded run: gives the run and the config of its only job."""

    def compose(*overrides):
        args = parse_arguments(list(overrides))
        record, composition = compose_recorded(source.info.run_id[:12], args, tmp_path)
        return record, composition

    return compose


class Converted:
    """A conversion by the real command, and what it left."""

    def __init__(self, store, client, source, *overrides):
        command = ["convert", f"run={source.info.run_id[:8]}", *overrides]
        done = run_command(command, store, COLUMNS="200")
        assert done.returncode == 0, done.stderr
        self.out = done.stdout
        self.folder = max(store.glob("outputs/*/*"))
        self.report = json.loads((self.folder / "report.json").read_text())
        self.run = client.get_run(self.report["run"]["id"])

    def logits(self, stage):
        return logits(self.folder / "predictions.parquet", stage)


def logits(path, stage):
    rows = pd.read_parquet(path)
    return np.stack(rows[rows["stage"] == stage].sort_values("image_id")["logits"])


@pytest.fixture(scope="module")
def same_generation(store, client, source):
    return Converted(store, client, source, "conversion=akd1500")


@pytest.fixture(scope="module")
def other_generation(store, client, source):
    return Converted(store, client, source, "conversion=akida2", "quantization=w8a8")


def checkpoint(folder):
    return torch.load(folder / "checkpoint.ckpt", weights_only=True)


def test_same_generation_takes_the_trained_network_itself(same_generation, store):
    before, after = (checkpoint(folder)["network"] for folder in (store / "trained", same_generation.folder))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    recorded = logits(store / "trained" / "predictions.parquet", "torch")
    assert len(np.unique(recorded.argmax(1))) > 1
    assert np.array_equal(same_generation.logits("torch"), recorded)
    assert same_generation.report["conversion"]["agreement"] == 1.0
    assert same_generation.report["conversion"]["target"] == "akd1500"
    assert "the trained quantized network, unchanged" in same_generation.out


def test_conversion_is_a_run_nested_below_the_one_it_came_from(same_generation, source, client):
    run, tags = same_generation.run, same_generation.run.data.tags
    assert run.info.status == "FINISHED"
    assert tags["mlflow.parentRunId"] == tags["converted_from"] == source.info.run_id
    assert run.info.experiment_id == source.info.experiment_id
    assert run.info.run_name == "akidanet-w4a4-none-to-akd1500"
    assert run.data.params["conversion.name"] == "akd1500"
    assert run.data.params["backbone.stem_channels"] == "4"
    assert run.data.metrics["akida/macro_f1"] == same_generation.report["stages"]["akida"]["macro_f1"]
    artifacts = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert artifacts >= {"checkpoint.ckpt", "config.yaml", "model.fbz", "report.json", "converted_from.json"}


def test_conversion_is_measured_on_the_data_and_split_of_the_run(same_generation, store):
    recorded = json.loads((store / "trained" / "report.json").read_text())["dataset"]
    assert same_generation.report["dataset"] == recorded
    splits = [folder / "split.json" for folder in (store / "trained", same_generation.folder)]
    assert splits[0].read_bytes() == splits[1].read_bytes()


@pytest.mark.slow
def test_other_generation_is_requantized_and_says_so(other_generation, source):
    route = "requantized after training: expect some loss; from w4a4 of Akida v1 to w8a8 of Akida v2"
    assert route in other_generation.out
    assert other_generation.run.data.tags["conversion_route"].startswith(route)
    assert other_generation.run.data.tags["converted_from"] == source.info.run_id
    left = json.loads((other_generation.folder / "converted_from.json").read_text())
    assert (left["run"], left["requantized"]) == (source.info.run_id, True)
    assert other_generation.report["quantization"]["weight_bits"] == 8


@pytest.mark.slow
def test_other_generation_starts_from_the_same_float_network(other_generation, store):
    """Rewritten in other layers, and the same function; the program is the requantized network to the bit."""
    recorded = logits(store / "trained" / "predictions.parquet", "float")
    assert np.abs(other_generation.logits("float") - recorded).max() < 1e-3 * np.abs(recorded).max()
    assert other_generation.report["backbone"]["form"] == "concat"
    assert other_generation.report["conversion"]["agreement"] == 1.0
    akida, quantized = (other_generation.logits(stage) for stage in ("akida", "torch"))
    assert np.abs(akida - quantized).max() < 1e-5 * np.abs(quantized).max()
    # Of what sets the images apart: 8 bits follow the float network closely, though it was never trained so.
    moved, wanted = (said - said.mean(0) for said in (quantized, recorded))
    assert np.corrcoef(moved.ravel(), wanted.ravel())[0, 1] > 0.95


def test_recorded_values_stand_and_the_form_follows_the_target(composed):
    record, composition = composed("conversion=akida2", "conversion.batch_size=5", "name=mine")
    with job_config(composition.jobs[0], 0) as cfg:
        assert cfg.dataset == record.config["dataset"]
        assert {**cfg.backbone, "form": "separable"} == record.config["backbone"]
        assert (cfg.backbone.form, cfg.quantization.generation) == ("concat", 2)
        assert (cfg.conversion.name, cfg.conversion.batch_size, cfg.name) == ("akida2", 5, "mine")
        assert cfg.evaluation.bootstrap_samples == 100


def test_group_chosen_anew_leaves_nothing_of_the_recorded_one(composed):
    _, composition = composed("conversion=akida2", "evaluation=default")
    with job_config(composition.jobs[0], 0) as cfg:
        assert cfg.evaluation.bootstrap_samples == 1000


def test_folder_of_own_configs_adds_targets(composed, tmp_path):
    (tmp_path / "mine" / "conversion").mkdir(parents=True)
    own = (config_directory() / "conversion" / "akd1500.yaml").read_text().replace("akd1500", "akd-own")
    (tmp_path / "mine" / "conversion" / "own.yaml").write_text(own)
    _, composition = composed("--config-dir", str(tmp_path / "mine"), "conversion=own")
    assert composition.base.conversion.name == "akd-own"


def test_sweep_over_targets_is_one_job_for_each(composed):
    _, composition = composed("-m", "conversion=akd1000,akd1500")
    assert [job.conversion.name for job in composition.jobs] == ["akd1000", "akd1500"]
    assert {job.backbone.stem_channels for job in composition.jobs} == {4}


def test_everything_that_was_trained_is_refused_by_name_at_once(here, source):
    arguments = [
        "backbone.stem_channels=8",
        "dataset.image_size=64",
        "seed=3",
        "training=gpu",
        "dataset=ham10000",
    ]
    with pytest.raises(QanaError, match="5 settings are at fault") as caught:
        main([f"run={source.info.run_id}", *arguments, "conversion=akd1500"])
    for text in arguments:
        assert text.replace("=", " = ") in caught.value.where
    assert "backbone.stem_channels cannot change" in caught.value.what
    assert "was trained with 4" in caught.value.what
    assert "backbone.stem_channels: 4" in caught.value.allowed
    assert not list(here.glob("multirun")), "nothing was started"


@pytest.mark.parametrize(
    ("arguments", "what", "where"),
    [
        (["conversion=akida2"], "not one thing to convert", "qana convert conversion=akida2"),
        (["run=1", "run=2"], "not one thing to convert, but run=1 and run=2", "qana convert run=1 run=2"),
        (["run="], "not one thing to convert", "qana convert run="),
        (["run=1", "onnx=a.onnx"], "run=1 and onnx=a.onnx", "qana convert"),
        (["run=1", "--nonsense"], "unrecognized arguments: --nonsense", "--nonsense"),
        (["run=1", "conversion"], "'conversion' cannot be read", "conversion"),
        (["run=1", "--config-name", "own"], "the config that it recorded", "--config-name own"),
        (["run=1", "tracking=nowhere"], "tracking has no choice 'nowhere'", "tracking = nowhere"),
        (["run=1", "tracking.rot=a"], "tracking has no key 'rot'", "tracking.rot = a"),
        (["run=1", "tracking.root=7"], "tracking.root", "tracking.root = 7"),
        (["run=1", "tracking.root=elsewhere"], "no runs are kept at", "tracking.root = "),
        (["run=zz"], "there is no run 'zz' in the store", "run = zz, tracking.root = "),
    ],
    ids=" ".join,
)
def test_unreadable_request_is_refused(here, arguments, what, where):
    with pytest.raises(QanaError) as caught:
        main(arguments)
    assert what in caught.value.what
    assert where in caught.value.where


@pytest.mark.parametrize(
    ("override", "what"),
    [
        ("conversion=akd9000", "conversion has no choice 'akd9000'"),
        ("conversion.bits=3", "conversion has no key 'bits'"),
        ("conversion=akd1500,akida2", "conversion is given several values"),
    ],
)
def test_overrides_are_explained_as_those_of_run(here, source, override, what):
    with pytest.raises(QanaError) as caught:
        main([f"run={source.info.run_id}", override])
    assert what in caught.value.what


@pytest.mark.parametrize(
    ("overrides", "what"),
    [
        ([], "there is no target to convert for"),
        (["conversion=akd1000", "quantization=w8a8"], "akd1000 does not run w8a8"),
        (["conversion=akida2", "quantization=none"], "does not run a float network"),
    ],
    ids=" ".join,
)
def test_target_that_cannot_take_the_network_is_refused_before_the_data_are_read(composed, overrides, what):
    record, composition = composed(*overrides)
    with job_config(composition.jobs[0], 0) as cfg, pytest.raises(QanaError) as caught:
        reconvert(record, cfg)
    assert what in caught.value.what


@pytest.mark.parametrize("field", ["fingerprint", "split_hash"])
def test_other_data_than_those_of_the_run_are_refused(composed, field):
    record, composition = composed("conversion=akd1500")
    other = replace(record, **{field: "0" * 64})
    with (
        job_config(composition.jobs[0], 0) as cfg,
        pytest.raises(QanaError, match="not those of run") as caught,
    ):
        reconvert(other, cfg)
    assert "instead of 0000000000000000" in caught.value.what
    assert "dataset.root" in caught.value.fix


def test_checkpoint_of_another_network_is_refused(composed):
    record, composition = composed("conversion=akd1500")
    wider = {**record.config["backbone"], "stem_channels": 6}
    other = replace(record, config={**record.config, "backbone": wider})
    with job_config(composition.jobs[0], 0) as cfg, pytest.raises(QanaError, match="does not fit") as caught:
        reconvert(other, cfg)
    assert "blocks.0.unit.conv.weight is (4, 3, 3, 3) instead of (6, 3, 3, 3)" in caught.value.what
    assert "train again" in caught.value.fix


@pytest.mark.slow
def test_network_that_was_rewritten_is_converted_from_where_it_was_trained(composed, other_generation):
    """Its layers are not those that its config builds."""
    record, composition = composed("conversion=akida2", "quantization=w8a8")
    rewritten = other_generation.folder / "checkpoint.ckpt"
    other = replace(record, checkpoint=rewritten, converted_from="origin")
    with job_config(composition.jobs[0], 0) as cfg, pytest.raises(QanaError, match="does not fit") as caught:
        reconvert(other, cfg)
    assert caught.value.fix == "name the run that it was converted from: qana convert run=origin"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda content: content.update(classes=["a", "b"]), "knows the classes a, b"),
        (lambda content: content.update(image_shape=[64, 64, 3]), "takes images of"),
        (lambda content: content.pop("float_network"), "lacks float_network"),
    ],
)
def test_checkpoint_of_another_task_is_refused(composed, change, what):
    record, composition = composed("conversion=akd1500")
    content = torch.load(record.checkpoint, weights_only=True)
    change(content)
    torch.save(content, record.checkpoint)
    with job_config(composition.jobs[0], 0) as cfg, pytest.raises(QanaError) as caught:
        reconvert(record, cfg)
    assert what in caught.value.what


def test_damaged_checkpoint_is_refused(composed):
    record, composition = composed("conversion=akd1500")
    record.checkpoint.write_bytes(record.checkpoint.read_bytes()[:1000])
    with job_config(composition.jobs[0], 0) as cfg, pytest.raises(QanaError, match="cannot be read"):
        reconvert(record, cfg)


def test_help_names_both_ways(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert "run=ID" in shown
    assert "onnx=FILE" in shown


@pytest.fixture(scope="module")
def photographs(same_generation, tmp_path_factory):
    """Ten test images of the run as files, in the order of their names."""
    config = OmegaConf.load(same_generation.folder / "config.yaml")
    test = instantiate(config.dataset).load().test
    folder = tmp_path_factory.mktemp("photographs")
    for row in np.argsort(test.image_ids)[:10]:
        Image.fromarray(np.asarray(test.images[row])).save(folder / f"{test.image_ids[row]}.png")
    return folder


def predict(*arguments):
    return run_command(["predict", *arguments], Path.cwd())


def test_program_of_a_run_answers_photographs_as_it_did_in_the_test(same_generation, photographs, store):
    asked = predict(same_generation.run.info.run_id[:8], photographs, "format=json",
                    f"tracking.root={store}/qana_runs", f"map={photographs.parent}/maps")  # fmt: skip
    assert asked.returncode == 0, asked.stderr
    said = json.loads(asked.stdout)
    stored = same_generation.logits("akida")[:10] / said["temperature"]
    expected = np.exp(stored) / np.exp(stored).sum(axis=1, keepdims=True)
    found = [list(image["probabilities"].values()) for image in said["images"]]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert said["target"] == "akd1500"
    assert [Path(image["image"]).parent for image in said["images"]] == [photographs] * 10
    assert len(list((photographs.parent / "maps").glob("*.map.png"))) == 10


def test_answers_below_the_confidence_asked_for_are_rejected(same_generation, photographs, tmp_path):
    program, out = same_generation.folder / "model.fbz", tmp_path / "answers.csv"
    asked = predict(program, photographs, "format=csv", f"out={out}", "reject=0.95")
    assert asked.returncode == 0, asked.stderr
    rows = pd.read_csv(out)
    np.testing.assert_array_equal(rows["rejected"], rows["confidence"] < 0.95)
    assert rows["class"].isna().equals(rows["rejected"])
    assert "of the validation images" in asked.stdout


def test_eight_views_are_the_mean_over_photographs_turned_and_mirrored(
    same_generation, photographs, tmp_path
):
    program, photograph = same_generation.folder / "model.fbz", min(photographs.iterdir())
    for name, way in {"0": None, **{str(way.value + 1): way for way in Image.Transpose}}.items():
        image = Image.open(photograph)
        (image if way is None else image.transpose(way)).save(tmp_path / f"{name}.png")
    single = predict(program, tmp_path, "format=json")
    together = predict(program, photograph, "format=json", "views=8")
    assert (single.returncode, together.returncode) == (0, 0), single.stderr + together.stderr
    each = np.log([list(image["probabilities"].values()) for image in json.loads(single.stdout)["images"]])
    expected = np.exp(each.mean(0)) / np.exp(each.mean(0)).sum()
    (found,) = json.loads(together.stdout)["images"]
    assert len(each) == 8
    np.testing.assert_allclose(list(found["probabilities"].values()), expected, rtol=1e-4)


def test_other_file_than_an_image_is_named(same_generation, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"nothing")
    asked = predict(same_generation.folder / "model.fbz", tmp_path)
    assert asked.returncode == 2
    assert "1 of 1 images cannot be read" in asked.stderr


class Server:
    """A real `mlflow models serve` of a run's program, on loopback."""

    def __init__(self, model, store, log):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        programs = Path(sys.executable).parent
        environment = {
            **os.environ,
            "MLFLOW_TRACKING_URI": f"sqlite:///{store}/qana_runs/mlflow.db",
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        }
        command = [programs / "mlflow", "models", "serve", "-m", model, "--env-manager", "local"]
        command += ["--host", "127.0.0.1", "--port", str(self.port)]
        self.process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True, cwd=store
        )

    def wait(self, seconds=120):
        for _ in range(seconds):
            assert self.process.poll() is None, "the server ended"
            try:
                return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ping", timeout=5)
            except OSError:
                time.sleep(1)
        raise AssertionError("the server did not come up")

    def ask(self, *files):
        """Status and answer for photographs, given as bytes."""
        rows = [[base64.b64encode(content).decode()] for content in files]
        body = json.dumps({"dataframe_split": {"columns": ["image"], "data": rows}}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/invocations", body, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(timeout=30)


@pytest.fixture(scope="module")
def server(same_generation, store):
    with (store / "serve.log").open("w") as log:
        server = Server(f"runs:/{same_generation.run.info.run_id}/served_model", store, log)
        try:
            server.wait()
            yield server
        finally:
            server.stop()


def test_a_served_program_answers_http_requests_as_it_did_in_the_test(server, same_generation, photographs):
    files = sorted(photographs.glob("*.png"))
    status, answer = server.ask(*(file.read_bytes() for file in files))
    assert status == 200
    card = json.loads((same_generation.folder / "model.json").read_text())
    stored = same_generation.logits("akida")[:10] / card["temperature"]
    expected = np.exp(stored) / np.exp(stored).sum(axis=1, keepdims=True)
    found = pd.DataFrame(answer["predictions"])
    np.testing.assert_allclose(found[card["classes"]], expected, rtol=1e-5)
    assert found["predicted"].tolist() == [card["classes"][best] for best in expected.argmax(axis=1)]
    np.testing.assert_allclose(found["confidence"], expected.max(axis=1), rtol=1e-5)


def test_a_served_program_names_what_it_cannot_read(server, photographs):
    good = next(photographs.glob("*.png")).read_bytes()
    status, answer = server.ask(good, b"nothing")
    assert status == 400
    assert "1 of 2 images cannot be read: row 1" in answer["message"]


def test_a_program_can_be_registered_with_its_signature(same_generation, client):
    run_id = same_generation.run.info.run_id
    client.create_registered_model("lesions")
    version = client.create_model_version("lesions", f"runs:/{run_id}/served_model", run_id)
    assert version.status == "READY"
    signature = mlflow.models.get_model_info(str(same_generation.folder / "served_model")).signature
    assert signature.inputs.input_names() == ["image"]
    assert signature.outputs.input_names()[-2:] == ["predicted", "confidence"]
