"""The check of a config against the constructors it names, with plain classes as stages."""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from omegaconf import OmegaConf

from qana.errors import QanaError
from qana.schema import check, find_faults
from qana.schema.annotation_text import annotation_text
from qana.schema.check import GROUPS


class Schedule:
    def __init__(self, *, warmup_steps: int) -> None: ...


class Training:
    def __init__(
        self,
        *,
        max_epochs: int,
        learning_rate: float,
        betas: tuple[float, float],
        precision: Literal["32", "bf16"],
        deterministic: bool,
        folder: Path | None,
        schedule: Schedule,
        weights: Mapping[str, float],
    ) -> None: ...


class Backbone:
    def __init__(self, width: int, *, num_classes: int, names: Sequence[str] = ()) -> None: ...


class Everything:
    def __init__(self, **anything: Any) -> None: ...


class Owner:
    def __init__(self, *, parts: Sequence[Schedule]) -> None: ...


@pytest.fixture(autouse=True)
def stages(monkeypatch):
    module = types.ModuleType("stages_of_test_schema")
    for each in (Schedule, Training, Backbone, Everything, Owner):
        setattr(module, each.__name__, each)
    module.NUMBER = 3
    monkeypatch.setitem(sys.modules, module.__name__, module)


def target(name, **arguments):
    return {"_target_": f"stages_of_test_schema.{name}", **arguments}


def training(**changes):
    sound = {
        "max_epochs": 3,
        "learning_rate": 1e-3,
        "betas": [0.9, 0.999],
        "precision": "bf16",
        "deterministic": True,
        "folder": None,
        "schedule": target("Schedule", warmup_steps=10),
        "weights": {"mel": 2.0},
    }
    return target("Training", **{**sound, **changes})


def config(**changes):
    sound = dict.fromkeys(GROUPS)
    return OmegaConf.create({"name": "n", "seed": 0, "output_dir": "o", **sound, **changes})


def wheres(cfg, supplied=None):
    return [fault.where for fault in find_faults(cfg, supplied or {})]


def test_config_that_fits_passes():
    check(config(training=training()), {})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("learning_rate", 1),
        ("betas", [0, 1]),
        ("folder", "somewhere"),
        ("weights", {}),
        ("max_epochs", 0),
    ],
)
def test_yaml_spelling_of_a_type_is_accepted(key, value):
    check(config(training=training(**{key: value})), {})


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("max_epochs", "abc", "a whole number"),
        ("max_epochs", "3", "a whole number"),
        ("max_epochs", 2.5, "a whole number"),
        ("max_epochs", True, "a whole number"),
        ("learning_rate", "fast", "a number"),
        ("learning_rate", False, "a number"),
        ("learning_rate", None, "a number"),
        ("betas", [0.9], "a list of (a number, a number)"),
        ("betas", 0.9, "a list of (a number, a number)"),
        ("precision", "64", "one of 32, bf16"),
        ("deterministic", 1, "true or false"),
        ("deterministic", "yes", "true or false"),
        ("folder", 3, "a path or null"),
        ("weights", {"mel": "much"}, "keys (a text) with values (a number)"),
        ("schedule", 3, "Schedule"),
    ],
)
def test_wrong_type_is_named_with_what_is_allowed(key, value, allowed):
    (fault,) = find_faults(config(training=training(**{key: value})), {})
    assert fault.where == f"training.{key} = {value!r}"
    assert fault.allowed == allowed
    assert allowed in fault.fix


def test_all_faults_come_in_one_error():
    cfg = config(seed=-1, training=training(learning_rate="fast", max_epoch=3), backbone=target("Backbone"))
    with pytest.raises(QanaError, match="4 settings are at fault") as caught:
        check(cfg, {"backbone": {"num_classes"}})
    for key in ("seed = -1", "training.learning_rate = 'fast'", "training.max_epoch = 3", "backbone.width"):
        assert key in caught.value.where


def test_unknown_key_suggests_its_neighbour():
    (fault,) = find_faults(config(training=training(max_epoch=3)), {})
    assert fault.where == "training.max_epoch = 3"
    assert "max_epochs" in fault.allowed
    assert fault.fix == "did you mean training.max_epochs?"


def test_missing_key_is_asked_for_unless_the_run_supplies_it():
    cfg = config(backbone=target("Backbone", width=3))
    assert wheres(cfg) == ["backbone.num_classes is missing"]
    assert wheres(cfg, {"backbone": {"num_classes"}}) == []


def test_key_that_the_run_supplies_cannot_be_set():
    (fault,) = find_faults(
        config(backbone=target("Backbone", width=3, num_classes=2)), {"backbone": {"num_classes"}}
    )
    assert fault.where == "backbone.num_classes = 2"
    assert "given by the run itself" in fault.what


def test_partial_node_may_lack_keys_but_not_invent_them():
    assert wheres(config(backbone=target("Backbone", width=3, _partial_=True))) == []
    assert wheres(config(backbone=target("Backbone", wide=3, _partial_=True))) == ["backbone.wide = 3"]


def test_positional_arguments_are_checked_in_order():
    assert wheres(config(backbone=target("Backbone", _args_=[3], num_classes=7))) == []
    assert wheres(config(backbone=target("Backbone", _args_=["3"], num_classes=7))) == [
        "backbone.width = '3'"
    ]


def test_nested_nodes_are_checked_where_they_stand():
    cfg = config(
        training=training(schedule=target("Schedule", warmup=1)),
        evaluation=target(
            "Owner", parts=[target("Schedule", warmup_steps=1), target("Schedule", warmup_steps="x")]
        ),
    )
    assert wheres(cfg) == [
        "training.schedule.warmup_steps is missing",
        "training.schedule.warmup = 1",
        "evaluation.parts.1.warmup_steps = 'x'",
    ]


def test_node_that_its_owner_builds_may_lack_keys():
    parts = [target("Schedule")]
    assert wheres(config(evaluation=target("Owner", parts=parts, _recursive_=False))) == []
    assert wheres(config(evaluation=target("Owner", parts=parts))) == [
        "evaluation.parts.0.warmup_steps is missing"
    ]


def test_open_signature_takes_any_key():
    assert wheres(config(backbone=target("Everything", a=1, _convert_="all"))) == []


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("no_such_package.Thing", "No module named 'no_such_package'"),
        ("stages_of_test_schema.Nothing", "has no attribute 'Nothing'"),
        ("stages_of_test_schema.NUMBER", "no class or function"),
        ("Thing", "Empty module name"),
    ],
)
def test_class_that_cannot_be_imported_is_named(path, reason):
    (fault,) = find_faults(config(backbone={"_target_": path}), {})
    assert fault.where == f"backbone._target_ = {path}"
    assert reason in fault.what


def test_values_left_open_are_all_named_before_anything_else():
    cfg = config(seed="x", training=training(max_epochs="???", folder="${nowhere}", betas=[0.9, "???"]))
    assert wheres(cfg) == [
        "training.max_epochs = ???",
        "training.betas.1 = ???",
        "training.folder = ${nowhere}",
    ]


def test_interpolated_value_is_checked_as_what_it_resolves_to():
    assert wheres(config(training=training(max_epochs="${seed}"))) == []
    assert wheres(config(training=training(max_epochs="${name}"))) == ["training.max_epochs = 'n'"]


def test_keys_of_the_whole_run_are_checked():
    cfg = config(name="", sed=3)
    del cfg["tracking"]
    assert wheres(cfg) == ["name = ''", "sed = 3", "tracking is missing"]


def test_group_without_a_class_is_refused():
    assert wheres(config(backbone={"width": 3})) == ["backbone = {'width': 3}"]


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (Sequence[int], "a list, each a whole number"),
        (tuple[int, ...], "a list, each a whole number"),
        (list[Literal["a", "b"]] | None, "null or a list, each one of a, b"),
        (str | Sequence[str] | None, "a text or null or a list, each a text"),
        (dict[str, bool], "keys (a text) with values (true or false)"),
        (Schedule, "Schedule"),
    ],
)
def test_annotations_are_told_in_words(annotation, text):
    assert annotation_text(annotation) == text
