"""The whole command on synthetic data: with a chip, without, in a sweep, and when it fails."""

import shutil

import numpy as np
import pandas as pd
import pytest
from command_line import Ended
from warm_command import run_command

SMALL = ["training=debug", "dataset.images=105", "dataset.image_size=32", "evaluation.bootstrap_samples=100"]
UNTRIED = "conversion.dry_run=false"
NARROW = [
    "backbone.stem_channels=8",
    "backbone.widths=[16,16,16]",
    "backbone.depths=[1,1,1]",
    "backbone.features=8",
]
PLAIN = ["conversion=none", *SMALL, *NARROW]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A small run without a chip."""
    return Ended(tmp_path_factory.mktemp("plain"), PLAIN)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["qana", "akidanet"])
def test_second_generation_runs_8_bits(tmp_path, backbone):
    # One epoch on layers of a few channels leaves some of them dead, which is not what is tested here.
    narrow = ["conversion.max_dead_share=1", *NARROW] if backbone == "qana" else []
    chip = ["conversion=akida2", "quantization=w8a8", UNTRIED]
    ended = Ended(tmp_path, [*chip, f"backbone={backbone}", *SMALL, *narrow])
    assert ended.code == 0, ended.err
    assert ended.report["conversion"]["agreement"] == 1.0
    assert ended.report["mapping"]["hardware_only"] is True


def test_float_run_ends_with_the_float_stage(tmp_path):
    ended = Ended(tmp_path, ["quantization=none", "conversion=none", *SMALL, *NARROW])
    assert ended.code == 0, ended.err
    assert list(ended.report["stages"]) == ["float"]
    assert ended.report["conversion"] is None


def test_failed_conversion_keeps_the_trained_model(tmp_path):
    """A program that is not accepted: the run is FAILED, says why in one line, and its checkpoint is safe."""
    ended = Ended(tmp_path, ["conversion.max_saturated_share=0", UNTRIED, *SMALL, *NARROW])
    assert ended.code == 2
    assert "the network does not sit on the chip well" in ended.err.splitlines()[0]
    (run,) = ended.runs()
    assert run.info.status == "FAILED"
    assert "the network does not sit on the chip well" in run.data.tags["failure"]
    assert {"checkpoint.ckpt", "model.onnx", "model.fbz"} <= ended.artifacts(run)


def test_conversion_past_its_limit_is_one_line(tmp_path):
    ended = Ended(tmp_path, ["conversion.timeout_s=1", UNTRIED, *SMALL, *NARROW])
    assert ended.code == 1
    assert "passed its limit of 1 s" in ended.err
    assert "Traceback" not in ended.err
    (run,) = ended.runs()
    assert run.info.status == "FAILED"
    assert "checkpoint.ckpt" in ended.artifacts(run)


def test_float_network_of_an_earlier_run_is_taken_as_it_is(plain, tmp_path):
    for name in ("again", "refused"):
        (tmp_path / name).mkdir()
    folder = f"training.float_from={plain.output}"
    again = Ended(tmp_path / "again", [*PLAIN, folder])
    assert (plain.code, again.code) == (0, 0), again.err
    one, two = (pd.read_parquet(ended.output / "predictions.parquet") for ended in (plain, again))
    pd.testing.assert_frame_equal(one, two)
    assert plain.report["run"]["config_hash"] == again.report["run"]["config_hash"]
    other = ["seed=1", "dataset.images=140"]
    refused = Ended(tmp_path / "refused", [*PLAIN, folder, *other], tracks=False)
    assert refused.code == 2
    assert "seed = 1 here, 0 there" in refused.err
    assert "dataset.images = 140 here, 105 there" in refused.err
    assert [path.name for path in (tmp_path / "refused").iterdir()] == []


def test_taught_run_is_reproduced_when_its_teachers_are_gone(plain, tmp_path):
    teachers = [tmp_path / "first", tmp_path / "second"]
    for folder in teachers:
        shutil.copytree(plain.output, folder)
    named = f"training.teacher=[{teachers[0]},{teachers[1]}]"
    taught = Ended(tmp_path, [*PLAIN, "backbone.widths=[8,8,8]", named])
    assert taught.code == 0, taught.err
    (run,) = taught.runs()
    assert run.data.metrics["float/distillation_loss"] > 0
    assert run.data.tags["taught_by"].count("Qana ") == 2
    for folder in teachers:
        shutil.rmtree(folder)
    again = run_command(["reproduce", f"run={run.info.run_id[:8]}"], tmp_path)
    assert again.returncode == 0, again.stderr
    assert "reproduction: exact" in again.stdout


@pytest.mark.slow
def test_two_processes_train_one_network(tmp_path):
    """Lightning's DDP: each process sees its share of every epoch; one run is tracked, one report written."""
    short = ["training.float_epochs=1", "training.quantized_epochs=1", "training.batch_size=8"]
    small = [text for text in SMALL if not text.startswith("training=")]
    ended = Ended(tmp_path, ["training=ddp", "conversion=none", *short, *small, *NARROW])
    assert ended.code == 0, ended.err
    (run,) = ended.runs()
    assert run.info.status == "FINISHED"
    assert run.data.params["training.devices"] == "2"
    assert list(ended.report["stages"]) == ["float", "torch"]
    losses = ended.client.get_metric_history(run.info.run_id, "quantized/train_loss")
    assert len(losses) == 1  # of one epoch, and told by one of the two


def test_untrained_network_is_taken_to_the_chip_before_its_training(tmp_path):
    ended = Ended(tmp_path, ["conversion.timeout_s=0.01", *SMALL, *NARROW], tracks=False)
    assert ended.code == 1
    assert "before training: the conversion passed its limit of 0.01 s" in ended.err
    assert "conversion.dry_run=false" in ended.err
    assert not (tmp_path / "qana_runs").exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["quantization=w8a8"], "akd1000 does not run w8a8"),
        pytest.param(["quantization=none"], "akd1000 does not run a float network", marks=pytest.mark.slow),
        (["backbone.form=concat"], "a concatenation"),
        pytest.param(["dataset.image_size=512"], "a global pool over", marks=pytest.mark.slow),
        pytest.param(
            ["conversion.device=SixNodesIPv2"],
            "SixNodesIPv2, of Akida v2, for generation 1",
            marks=pytest.mark.slow,
        ),
        (["dataset=ham10000", "dataset.root=nowhere"], "nowhere"),
    ],
)
def test_what_cannot_work_is_refused_before_training_and_leaves_nothing(tmp_path, arguments, named):
    ended = Ended(tmp_path, arguments, tracks=False)
    assert ended.code == 2
    assert named in ended.err
    assert [line.split(":")[0].strip() for line in ended.err.splitlines()[1:4]] == ["where", "allowed", "fix"]
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_sweep_of_two_backbones_and_two_bit_widths_is_one_parent_with_four_children(tmp_path):
    ended = Ended(
        tmp_path,
        ["-m", "backbone=qana,akidanet", "quantization=w4a4,w8a8", "conversion=none", *SMALL],
    )
    assert ended.code == 0, ended.err
    runs = ended.runs()
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert len(runs) == 5
    assert len(children) == 4
    assert all(run.info.status == "FINISHED" for run in runs)
    assert len({run.data.tags["mlflow.parentRunId"] for run in children}) == 1


def test_same_seed_gives_the_same_answers(plain, tmp_path):
    again = Ended(tmp_path, PLAIN)
    assert (plain.code, again.code) == (0, 0), again.err
    logits = (
        np.stack(pd.read_parquet(ended.output / "predictions.parquet")["logits"]) for ended in (plain, again)
    )
    assert np.array_equal(*logits)
