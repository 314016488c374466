import copy
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from omegaconf import OmegaConf
from small_networks import small_network
from small_training import checkpoint, fit, splits, splits_without_pattern

from qana.command.composition import compose_all, job_config, parse_arguments
from qana.errors import QanaError
from qana.provenance import config_hash
from qana.training.float_phase import require_same_float_phase
from qana.training.teacher import load_teacher, require_teacher, teacher_folders

BACKBONE = {
    "_target_": "qana.backbone.AkidaNet",
    "form": "separable",
    "width_multiplier": 1.0,
    "stem_channels": 4,
    "conv_widths": [8, 8],
    "separable_widths": [12, 16],
    "activation_bound": 4.0,
}
CONFIG = {
    "seed": 0,
    "dataset": {"_target_": "Source", "root": "/here", "image_size": 16, "fold": 0},
    "backbone": BACKBONE,
    "quantization": {"_target_": "Quantization"},
    "training": {"float_epochs": 3, "float_from": None, "teacher": None, "teacher_weight": 1.0},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder as a run leaves it, with a network that has learned."""
    folder = tmp_path_factory.mktemp("teacher")
    fit(folder, name="akidanet")
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    (folder / "split.json").write_text(json.dumps({"hash": "1" * 64}))
    return folder


def config(folder, **values):
    """CONFIG with ``training.teacher=folder`` and dotted keys (``__``) set."""
    made = copy.deepcopy(CONFIG)
    made["training"]["teacher"] = str(folder)
    for key, value in values.items():
        group, _, name = key.partition("__")
        made[group] = {**made[group], name: value} if name else value
    return made


def job_of(command):
    """The resolved config of a command line."""
    composition = compose_all(parse_arguments(command[1:]))
    with job_config(composition.jobs[0], 0) as cfg:
        return OmegaConf.to_container(cfg, resolve=True)


def pixels():
    return torch.from_numpy(splits().train.images).permute(0, 3, 1, 2).float()


def told(folder):
    """Divergence from the teacher in each epoch, as a weight of 1 would log it."""
    rows = pd.read_csv(folder / "log/version_0/metrics.csv")
    return rows["float/distillation_loss"].dropna().to_numpy()


def test_the_teacher_is_the_float_network_of_the_run(trained):
    taught_by = load_teacher(config(trained), 3, "1" * 64)
    wanted = small_network("akidanet", "separable")
    wanted.load_state_dict(checkpoint(trained, "float"))
    wanted.to(memory_format=torch.channels_last)  # as in training; another layout adds in another order
    assert not taught_by.training
    with torch.no_grad():
        torch.testing.assert_close(taught_by(pixels()), wanted.eval()(pixels()), rtol=0, atol=0)


def test_a_taught_network_answers_more_like_its_teacher_and_leaves_it_as_it_was(trained, tmp_path):
    taught_by = load_teacher(config(trained), 3, "1" * 64)
    with torch.no_grad():
        taught_by.blocks[-1].conv.weight.mul_(20.0)  # views of its own
    before = {key: value.clone() for key, value in taught_by.state_dict().items()}
    # Labels by chance: all that can be learned is what the teacher says.
    lessons = dict(teacher=taught_by, teacher_temperature=1.0, float_epochs=12)
    divergence = {}
    for weight in (1e-6, 20.0):
        folder = tmp_path / str(weight)
        fit(folder, data=splits_without_pattern(), teacher_weight=weight, **lessons)
        divergence[weight] = told(folder)[-1] / weight
    assert divergence[20.0] < 0.5 * divergence[1e-6]
    assert all(torch.equal(value, before[key]) for key, value in taught_by.state_dict().items())


@pytest.fixture(scope="module")
def other(trained, tmp_path_factory):
    """A second one, that has learned less."""
    folder = tmp_path_factory.mktemp("other")
    fit(folder, name="akidanet", float_epochs=1)
    for name in ("config.yaml", "split.json"):
        shutil.copyfile(trained / name, folder / name)
    return folder


def taught_by_both(*folders):
    made = copy.deepcopy(CONFIG)
    made["training"]["teacher"] = [str(folder) for folder in folders]
    return made


def test_several_teach_the_mean_of_their_logits(trained, other):
    both = load_teacher(taught_by_both(trained, other), 3, "1" * 64)
    assert not any(module.training for module in both.modules())
    with torch.no_grad():
        one, two = (load_teacher(config(folder), 3, "1" * 64)(pixels()) for folder in (trained, other))
        assert not torch.allclose(one, two)
        torch.testing.assert_close(both(pixels()), (one + two) / 2)
        softened = [torch.softmax(logits / 4.0, 1) for logits in (one, two)]
        geometric = torch.sqrt(softened[0] * softened[1])
        torch.testing.assert_close(
            torch.softmax(both(pixels()) / 4.0, 1), geometric / geometric.sum(1, keepdim=True)
        )


def test_of_several_teachers_all_that_are_unfit_are_named(trained, other, tmp_path):
    wider, none = shutil.copytree(trained, tmp_path / "wider"), tmp_path / "none"
    larger = {**CONFIG, "dataset": {**CONFIG["dataset"], "image_size": 32}}
    (wider / "config.yaml").write_text(yaml.safe_dump(larger))
    with pytest.raises(QanaError) as caught:
        require_teacher(taught_by_both(trained, wider, none))
    assert "dataset.image_size = 16 here, 32 there" in caught.value.what
    assert f"{none} is not the folder of a run" in caught.value.what
    assert str(trained) not in caught.value.what
    seen = shutil.copytree(other, tmp_path / "other")
    (seen / "split.json").write_text(json.dumps({"hash": "3" * 64}))
    with pytest.raises(QanaError, match=r"(?s)other.*333333333333 there.*wider.*111111111111 there"):
        load_teacher(taught_by_both(seen, wider), 3, "2" * 64)


def test_a_teacher_that_is_named_twice_is_refused(trained, other):
    with pytest.raises(QanaError, match="is named twice") as caught:
        require_teacher(taught_by_both(trained, other, trained))
    assert caught.value.where == f"training.teacher = {trained}"


def test_the_recipe_of_a_taught_network_asks_for_teachers():
    command = ["run", "experiment=ham10000_taught", "dataset.root=here"]
    config = job_of(command)
    assert (config["backbone"]["ghost_kernel_size"], config["training"]["teacher_weight"]) == (3, 3.0)
    with pytest.raises(QanaError, match="nobody to teach"):
        require_teacher(config)
    named = job_of([*command, "seed=2", "training.teacher=[runs/a-seed${seed},runs/b-seed${seed}]"])
    assert teacher_folders(named) == [Path("runs/a-seed2"), Path("runs/b-seed2")]


@pytest.mark.parametrize("nobody", [[], ""])
def test_an_empty_list_of_teachers_is_refused(nobody):
    empty = copy.deepcopy(CONFIG)
    empty["training"]["teacher"] = nobody
    with pytest.raises(QanaError, match="nobody to teach"):
        require_teacher(empty)


def test_without_a_teacher_nothing_is_read():
    untaught = copy.deepcopy(CONFIG)
    require_teacher(untaught)
    assert load_teacher(untaught, 3, "1" * 64) is None


@pytest.mark.parametrize(
    "values", [{}, {"dataset__root": "/there"}, {"seed": 0, "training__float_epochs": 9}]
)
def test_a_run_on_the_same_images_may_teach(trained, values):
    require_teacher(config(trained, **values))


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"dataset__image_size": 32}, "dataset.image_size = 32 here, 16 there"),
        ({"dataset__fold": 1}, "dataset.fold = 1 here, 0 there"),
        ({"incremental": {"protocol": "class"}}, "incremental = "),
    ],
)
def test_who_cannot_teach_here_is_refused(trained, values, what):
    with pytest.raises(QanaError) as caught:
        require_teacher(config(trained, **values))
    assert what in caught.value.what
    assert caught.value.where == f"training.teacher = {trained}"


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(QanaError, match=r"lacks config\.yaml, checkpoints/best-float\.ckpt, split\.json"):
        require_teacher(config(tmp_path))


def test_a_teacher_that_has_seen_the_test_images_is_refused(trained):
    with pytest.raises(QanaError, match="has another split: 111111111111 there, 222222222222 here"):
        load_teacher(config(trained), 3, "2" * 64)


def test_a_network_that_is_built_otherwise_today_is_refused(trained, tmp_path):
    with pytest.raises(
        QanaError, match="does not fit the network that its config builds today: size mismatch"
    ):
        load_teacher(config(trained), 4, "1" * 64)
    folder = shutil.copytree(trained, tmp_path / "older")
    older = {key: value for key, value in BACKBONE.items() if key != "width_multiplier"}
    (folder / "config.yaml").write_text(yaml.safe_dump({**CONFIG, "backbone": older}))
    with pytest.raises(QanaError, match=r"builds today: TypeError.*'width_multiplier'"):
        load_teacher(config(folder), 3, "1" * 64)


def test_a_taught_float_phase_is_another_experiment(trained, tmp_path):
    assert config_hash(config(trained)) != config_hash(CONFIG)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/best-float.ckpt").write_bytes(b"weights")
    (tmp_path / "split.json").write_text("{}")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    recorded_before_teachers = {"float_epochs": 3, "float_from": None}
    same = config(trained, training__float_from=str(tmp_path), training__teacher=None)
    require_same_float_phase(same)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({**CONFIG, "training": recorded_before_teachers}))
    require_same_float_phase(same)
    untaught = config(trained, training__float_from=str(tmp_path))
    with pytest.raises(QanaError, match=r"training\.teacher = .* here, None there"):
        require_same_float_phase(untaught)


def test_the_float_phase_of_a_taught_run_is_taken_with_its_teachers_named(trained, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/best-float.ckpt").write_bytes(b"weights")
    (tmp_path / "split.json").write_text("{}")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config(trained)))
    again = config(trained, training__float_from=str(tmp_path))
    require_same_float_phase(again)
    require_teacher(again)
    assert load_teacher(again, 3, "1" * 64) is None
    with pytest.raises(QanaError, match=r"training\.teacher = None here, .* there"):
        require_same_float_phase(config(trained, training__float_from=str(tmp_path), training__teacher=None))
