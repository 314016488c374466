"""The config of a run of the past as a file that overrides are laid over, and what they must not touch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser

from qana.command.chosen_tracking import is_below, key_of
from qana.command.composition import CONFIG_NAME, config_directory
from qana.schema.faults import Fault, as_error
from qana.tracking.recorded_run import RecordedRun

RECORDED_NAME = "recorded"
# The network, its data and its split stay what they were.
CHANGEABLE = (
    "conversion",
    "quantization",
    "evaluation",
    "tracking",
    "name",
    "output_dir",
    "hydra",
    "dataset.root",
    "dataset.cache_dir",
    "dataset.table",
    "dataset.encoding",
    "dataset.columns",
    "dataset.on_error",
    "dataset.external_test",
    "dataset@dataset.external_test",
)
# Follow the target, as they do in the YAML files of `qana run`.
FOLLOWS = {
    ("backbone", "form"): "${conversion.form}",
    ("quantization", "generation"): "${conversion.generation}",
}


def require_changeable(
    overrides: Sequence[str],
    record: RecordedRun,
    *,
    changeable: Sequence[str] = CHANGEABLE,
    command: str = "convert",
) -> None:
    """Refuse overrides of what the run was trained with; keys that it did not know may be added (``+key=``).

    Args:
        overrides: as typed.
        record: the run.
        changeable: keys and groups that may change.
        command: of `qana`, for the message.

    Raises:
        QanaError: names every one of them, with the recorded value.
    """
    faults = list(_faults(overrides, record, changeable, command))
    if faults:
        raise as_error(faults)


def _faults(
    overrides: Sequence[str], record: RecordedRun, changeable: Sequence[str], command: str
) -> Iterator[Fault]:
    for text in overrides:
        key = key_of(text)
        if text.startswith("+") or any(is_below(key, place) for place in changeable):
            continue
        recorded = _recorded(record.config, key)
        yield Fault(
            f"{key} cannot change: run {record.run_id[:8]} was trained with {recorded}",
            text.replace("=", " = ", 1),
            f"{recorded}; only what qana {command} --help lists may change",
            f"leave {key} out, or train anew: qana run {text}",
        )


def _recorded(config: Mapping[str, Any], key: str) -> str:
    found: Any = config
    for part in key.replace("/", ".").split("."):
        if not isinstance(found, Mapping) or part not in found:
            return "nothing of that name"
        found = found[part]
    return str(found.get("_target_")) if isinstance(found, Mapping) else str(found)


def write_recorded(
    folder: Path,
    record: RecordedRun,
    overrides: Sequence[str],
    *,
    tracking: Mapping[str, Any],
    own_choices: Path | None,
    name: str,
) -> None:
    """Write the main config that Hydra composes: the recorded values, with every group still to be chosen.

    A group that is chosen anew replaces what was recorded of it.

    Args:
        folder: gets ``recorded.yaml``.
        record: the run.
        overrides: as typed.
        tracking: node of the store that the run was found in.
        own_choices: a folder with choices of the user, or None.
        name: of the new run.
    """
    main = yaml.safe_load((config_directory() / f"{CONFIG_NAME}.yaml").read_text())
    groups = [group for group in _groups(main["defaults"]) if group != "experiment"]
    content: dict[str, Any] = {**record.config, "tracking": {**tracking, "experiment": record.experiment}}
    for (group, key), reference in FOLLOWS.items():
        if key in (content.get(group) or {}):
            content[group] = {**content[group], key: reference}
    content["name"] = name
    content["output_dir"] = main["output_dir"]
    for group in {key_of(text) for text in overrides} & set(groups):
        _drop(content, group)
    searched = [] if own_choices is None else [own_choices.as_uri()]
    content["hydra"] = {**main["hydra"], "searchpath": searched}
    first = _first_of_sweeps(overrides)
    content["defaults"] = [*({group: first.get(group)} for group in groups), "_self_"]
    (folder / f"{RECORDED_NAME}.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def _first_of_sweeps(overrides: Sequence[str]) -> dict[str, str]:
    """The first of several choices typed for a group: a group below it, `incremental/protocol`, needs one."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return {
        each.key_or_group: next(each.sweep_string_iterator()) for each in parsed if each.is_choice_sweep()
    }


def _groups(defaults: Sequence[Any]) -> list[str]:
    return [group for entry in defaults if isinstance(entry, Mapping) for group in entry]


def _drop(content: dict[str, Any], group: str) -> None:
    """Take the recorded node of a group out, at the place where the group puts its own."""
    *parents, name = group.rpartition("@")[2].split(".")
    node = content
    for parent in parents:
        node[parent] = dict(node[parent])
        node = node[parent]
    node.pop(name, None)
