"""Names what is wrong with each override, where Hydra stops at the first and explains it in its own terms."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig, OmegaConf

from qana.schema.faults import Fault, unknown_key


def compose(loader: Any, name: str, overrides: Sequence[str]) -> DictConfig:
    """Compose the config `name` as one job, Hydra's own node included."""
    cfg: DictConfig = loader.load_configuration(name, list(overrides), run_mode=RunMode.RUN)
    return cfg


def unreadable_overrides(overrides: Sequence[str]) -> list[Fault]:
    """Overrides that are not of the form ``key=value``, or whose value cannot be read."""
    return [fault for text in overrides for fault in _unreadable(text)]


def swept(overrides: Sequence[str]) -> list[Fault]:
    """Overrides with several values, which only a sweep can take."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return [
        Fault(
            f"{each.key_or_group} is given several values",
            f"{each.key_or_group} = {_value_text(each)}",
            "one value, or a list as [1,2]",
            "add -m to run once for each value",
        )
        for each in parsed
        if each.is_sweep_override()
    ]


def find_override_faults(loader: Any, name: str, overrides: Sequence[str]) -> list[Fault]:
    """Unknown choices and unknown keys among the overrides of one job.

    Args:
        loader: Hydra's config loader.
        name: name of the main config.
        overrides: readable overrides without sweeps left in them, or with.
    """
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(overrides))
    groups = [each for each in parsed if loader.get_group_options(each.key_or_group)]
    faults = [fault for each in groups for fault in _choice_faults(loader, each)]
    if faults:
        return faults  # which keys exist depends on the choices
    cfg = compose(loader, name, [str(each.input_line) for each in groups if not each.is_sweep_override()])
    changed = [
        each for each in parsed if each not in groups and not each.is_add() and not each.is_force_add()
    ]
    return [fault for each in changed for fault in _key_faults(loader, cfg, each)]


def _unreadable(text: str) -> Iterator[Fault]:
    try:
        (parsed,) = OverridesParser.create().parse_overrides([text])
    except OverrideParseException as error:
        lines = [
            line for line in str(error).splitlines() if not line.startswith(("See http", "Error parsing"))
        ]
        reason = f": {lines[0]}" if lines else ""
    else:
        if parsed.key_or_group:
            return
        reason = ": it names no key"
    yield Fault(
        f"override {text!r} cannot be read{reason}",
        text,
        "key=value; lists as key=[1,2], text with special characters as 'key=\"...\"'",
        "correct it; quotes keep the shell from changing it",
    )


def _choice_faults(loader: Any, override: Override) -> Iterator[Fault]:
    options = loader.get_group_options(override.key_or_group)
    group = override.package or override.key_or_group  # `dataset@dataset.external_test` is typed as its place
    if override.is_delete() or isinstance(override.value(), list):
        return
    chosen = list(override.sweep_string_iterator()) if override.is_sweep_override() else [override.value()]
    for choice in chosen:
        if choice not in options:
            close = difflib.get_close_matches(str(choice), options, n=1)
            fix = f"did you mean {group}={close[0]}?" if close else "choose one of those"
            shown = "null" if choice is None else choice
            yield Fault(
                f"{group} has no choice {str(shown)!r}", f"{group} = {shown}", ", ".join(options), fix
            )


def _key_faults(loader: Any, cfg: DictConfig, override: Override) -> Iterator[Fault]:
    """Walk to the key; the first part that is not there is the fault."""
    node: Any = cfg
    parts = override.key_or_group.split(".")
    for depth, part in enumerate(parts):
        if isinstance(node, ListConfig):
            return  # an index; the schema looks at lists
        if not isinstance(node, DictConfig) or part not in node:
            names = _names(loader, node, at_root=depth == 0)
            elsewhere = [_as_typed(loader, full) for full in _namesakes(cfg, parts[:depth], part)]
            key = ".".join(parts[: depth + 1])
            yield unknown_key(key, _value_text(override), names, elsewhere)
            return
        node = node._get_node(part)


def _value_text(override: Override) -> str:
    """The value as typed; a deleted key has none."""
    return str(override.input_line).partition("=")[2] or "(no value)"


def _names(loader: Any, node: Any, *, at_root: bool) -> list[str]:
    names = [str(key) for key in node if key != "hydra"] if isinstance(node, DictConfig) else []
    groups = [group for group in loader.list_groups("") if group != "hydra"] if at_root else []
    nested = [f"{group}/{inner}" for group in groups for inner in loader.list_groups(group)]
    return list(dict.fromkeys([*names, *groups, *nested]))


def _namesakes(cfg: DictConfig, parents: Sequence[str], name: str) -> list[str]:
    """Full keys somewhere below `parents` that end in `name`."""
    start = "".join(f"{parent}." for parent in parents)
    return [full for full in _full_keys(cfg) if full.startswith(start) and full.rpartition(".")[2] == name]


def _as_typed(loader: Any, full: str) -> str:
    """A key that is a choice of files is typed with slashes: ``training/loss``."""
    group = full.replace(".", "/")
    return group if loader.get_group_options(group) else full


def _full_keys(cfg: DictConfig, path: str = "") -> Iterator[str]:
    for key in map(str, cfg):
        if key == "hydra" and not path:
            continue
        full = f"{path}.{key}" if path else key
        yield full
        below = cfg._get_node(key)
        if isinstance(below, DictConfig) and not OmegaConf.is_interpolation(cfg, key):
            yield from _full_keys(below, full)
