"""The choice `training/loss=` as it is typed, swept, put into recipes and misspelt."""

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from qana.command.composition import compose_all, config_directory, job_config, parse_arguments
from qana.errors import QanaError
from qana.schema import check
from qana.schema.check import GROUPS
from qana.training.loss import ClassBalanced, CrossEntropy, Focal, Ldam, LogitAdjusted, Weighted

CHOICES = {
    "class_balanced": ClassBalanced,
    "cross_entropy": CrossEntropy,
    "focal": Focal,
    "ldam": Ldam,
    "logit_adjusted": LogitAdjusted,
    "weighted": Weighted,
}


def trainings(*arguments):
    """The training node of every job that a command line composes, checked against its constructors."""
    nodes = []
    for index, job in enumerate(compose_all(parse_arguments(arguments)).jobs):
        with job_config(job, index) as cfg:
            training = OmegaConf.to_container(cfg.training, resolve=True)
        check(only(training), {})
        nodes.append(training)
    return nodes


def only(training):
    return OmegaConf.create(
        {"name": "n", "seed": 0, "output_dir": "o", **dict.fromkeys(GROUPS), "training": training}
    )


def losses(*arguments):
    return [instantiate(node["loss"]) for node in trainings(*arguments)]


def recipe(folder, *lines):
    path = folder / "experiment" / "mine.yaml"
    path.parent.mkdir()
    path.write_text("\n".join(["# @package _global_", *lines]))
    return ["--config-dir", str(folder), "experiment=mine"]


def test_every_file_of_the_group_is_a_choice_of_this_test():
    files = (config_directory() / "training" / "loss").glob("*.yaml")
    assert {path.stem for path in files} == set(CHOICES)


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_builds_its_loss(choice):
    (loss,) = losses(f"training/loss={choice}")
    assert type(loss) is CHOICES[choice]


def test_without_a_choice_it_is_the_cross_entropy():
    (loss,) = losses()
    assert (type(loss), loss.label_smoothing) == (CrossEntropy, 0.05)


def test_an_argument_of_the_choice_can_be_given_beside_it():
    (loss,) = losses("training/loss=focal", "training.loss.gamma=1")
    assert loss.gamma == 1


@pytest.mark.parametrize(
    ("machine", "key", "value"),
    [
        ("cpu", "devices", 1),
        ("gpu", "accelerator", "gpu"),
        ("ddp", "devices", 2),
        ("debug", "float_epochs", 1),
    ],
)
def test_a_choice_goes_with_every_kind_of_training(machine, key, value):
    (training,) = trainings(f"training={machine}", "training/loss=ldam")
    assert training[key] == value
    assert isinstance(instantiate(training["loss"]), Ldam)


def test_the_order_of_choices_does_not_matter():
    assert trainings("training/loss=ldam", "training=debug") == trainings(
        "training=debug", "training/loss=ldam"
    )


def test_a_sweep_over_choices_and_values_runs_each_once():
    swept = losses("-m", "training/loss=focal,ldam", "training.float_epochs=1,2")
    assert [type(loss) for loss in swept] == [Focal, Focal, Ldam, Ldam]


def test_a_recipe_chooses_a_loss_and_changes_its_arguments(tmp_path):
    typed = recipe(
        tmp_path, "defaults:", "  - override /training/loss: focal", "training: {loss: {gamma: 3.0}}"
    )
    (loss,) = losses(*typed)
    assert (type(loss), loss.gamma) == (Focal, 3.0)


def test_a_recipe_chooses_the_training_and_the_loss(tmp_path):
    lines = ["defaults:", "  - override /training: debug", "  - override /training/loss: ldam"]
    (training,) = trainings(*recipe(tmp_path, *lines))
    assert training["float_epochs"] == 1
    assert isinstance(instantiate(training["loss"]), Ldam)


def test_the_command_line_wins_over_the_recipe(tmp_path):
    typed = recipe(tmp_path, "defaults:", "  - override /training/loss: focal")
    (loss,) = losses(*typed, "training/loss=weighted")
    assert type(loss) is Weighted


@pytest.mark.parametrize(
    ("arguments", "where", "allowed", "fix"),
    [
        (["training/loss=focl"], "training/loss = focl", "focal, ldam", "mean training/loss=focal?"),
        (["-m", "training/loss=focal,ldm"], "training/loss = ldm", "focal, ldam", "training/loss=ldam?"),
        (["training/loss=null"], "training/loss = null", "focal, ldam", "choose one of those"),
        (["training/los=focal"], "training/los = focal", "training/loss", "did you mean training/loss?"),
        (["loss=focal"], "loss = focal", "training/loss", "did you mean training/loss?"),
        (["training.loss=focal"], "training.loss = 'focal'", "Loss", "type training/loss=NAME"),
        (["training.loss.gama=1", "training/loss=focal"], "gama = 1", "gamma", "training.loss.gamma?"),
        (["training.loss.gamma=1"], "training.loss.gamma = 1", "label_smoothing", "--cfg job"),
        (["training.label_smoothing=0"], "label_smoothing = 0", "loss", "training.loss.label_smoothing?"),
        (["training/loss=ldam", "training.loss.scale=big"], "loss.scale = 'big'", "a number", "a number"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_word_is_refused_before_anything_is_built(arguments, where, allowed, fix):
    with pytest.raises(QanaError) as caught:
        trainings(*arguments)
    assert where in caught.value.where
    assert allowed in caught.value.allowed
    assert fix in caught.value.fix


def test_an_argument_out_of_range_is_the_users_error():
    with pytest.raises(Exception, match=r"where:   training\.loss\.gamma = -1") as caught:
        losses("training/loss=focal", "training.loss.gamma=-1")
    assert isinstance(caught.value.__cause__, QanaError)
