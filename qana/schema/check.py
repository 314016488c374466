"""Compares a composed config with the constructors it names: the signature is the schema.

Runs before anything is built, so that a misspelt key or a wrong type never costs a training.
"""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from types import SimpleNamespace
from typing import Annotated, Any, get_type_hints

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from qana.schema.annotation_text import annotation_text
from qana.schema.faults import Fault, as_error, unknown_key

# The stages of a run; each is one config group and one key of the composed config.
GROUPS = ("dataset", "backbone", "quantization", "conversion", "training", "evaluation", "tracking")
OPTIONAL_GROUPS = ("incremental",)
GLOBAL_KEYS: Mapping[str, Any] = {
    "name": Annotated[str, Field(min_length=1)],
    "seed": Annotated[int, Field(ge=0)],
    "output_dir": str,
}
RESERVED = frozenset({"_target_", "_args_", "_partial_", "_recursive_", "_convert_"})

Supplied = Mapping[str, Collection[str]]


def check(cfg: DictConfig, supplied: Supplied) -> None:
    """Refuse a config that does not fit the constructors it names, with every fault at once.

    Values are compared as JSON in pydantic's strict mode: a whole number passes for a float and a list for a
    tuple; a text never passes for a number, nor a truth value for either.

    Args:
        cfg: the composed config, without Hydra's own node.
        supplied: group name to the constructor arguments that `qana.run` gives at run time.

    Raises:
        QanaError: unknown or missing keys, wrong types, classes that cannot be imported, values left at
            ``???`` and interpolations that lead nowhere.
    """
    faults = find_faults(cfg, supplied)
    if faults:
        raise as_error(faults)


def find_faults(cfg: DictConfig, supplied: Supplied) -> list[Fault]:
    """Every fault that `check` would report, in the order of the config."""
    faults = list(_unresolved(cfg, ""))
    if faults:
        return faults  # what cannot be read cannot be compared either
    content: Any = OmegaConf.to_container(cfg, resolve=True)
    return [*_root_faults(content), *_group_faults(content, supplied)]


def _unresolved(node: Any, path: str) -> Iterator[Fault]:
    """Values that were never given, and interpolations that lead nowhere."""
    keys: Iterable[Any] = node if isinstance(node, DictConfig) else range(len(node))
    for key in keys:
        full = f"{path}.{key}" if path else str(key)
        if OmegaConf.is_missing(node, key):
            yield Fault(f"{full} has no value", f"{full} = ???", "any value of its type", f"give {full}=...")
            continue
        try:
            value = node[key]
        except OmegaConfBaseException as error:
            yield _unresolved_fault(full, node, key, error)
            continue
        if isinstance(value, (DictConfig, ListConfig)) and not OmegaConf.is_interpolation(node, key):
            yield from _unresolved(value, full)


def _unresolved_fault(full: str, node: Any, key: Any, error: OmegaConfBaseException) -> Fault:
    written: Any = OmegaConf.to_container(node, resolve=False)
    return Fault(
        f"{full}: {str(error).splitlines()[0]}",
        f"{full} = {written[key]}",
        "a reference to a value or an environment variable that exists",
        f"give {full}=..., or what it refers to",
    )


def _root_faults(content: Mapping[str, Any]) -> Iterator[Fault]:
    """Keys of the whole run: each known, none missing, of the right type."""
    known = [*GLOBAL_KEYS, *GROUPS, *OPTIONAL_GROUPS]
    for key, value in content.items():
        if key in GLOBAL_KEYS:
            yield from _type_faults(str(key), value, GLOBAL_KEYS[key])
        elif key not in known:
            yield unknown_key(str(key), value, known)
    for key in (*GLOBAL_KEYS, *GROUPS):
        if key not in content:
            yield Fault(
                f"the config has no {key!r}", f"{key} is missing", "every stage of a run", f"give {key}=..."
            )


def _group_faults(content: Mapping[str, Any], supplied: Supplied) -> Iterator[Fault]:
    for group in (*GROUPS, *OPTIONAL_GROUPS):
        node = content.get(group)
        if not node:
            continue  # a stage that is left out
        if not _is_target(node):
            allowed = "a node with _target_, or null"
            yield Fault(f"{group} names no class", f"{group} = {node}", allowed, f"choose {group}=<option>")
            continue
        yield from _node_faults(group, node, frozenset(supplied.get(group, ())))


def _node_faults(path: str, node: Mapping[str, Any], supplied: Collection[str]) -> Iterator[Fault]:
    """Compare one ``_target_`` node with its signature, then the nodes inside it."""
    try:
        target = _locate(node["_target_"])
    except (ImportError, AttributeError, ValueError) as error:
        where = f"{path}._target_ = {node['_target_']}"
        yield Fault(f"cannot be imported: {error}", where, "the path of a class", "correct or install it")
        return
    parameters = _parameters(target)
    positional = [name for name, each in parameters.items() if each.kind is not each.KEYWORD_ONLY]
    given = dict(zip(positional, node.get("_args_", ()), strict=False))
    given.update({key: value for key, value in node.items() if key not in RESERVED})
    open_ended = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    named = [
        name for name, each in parameters.items() if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)
    ]
    if not node.get("_partial_", False):
        yield from _missing_faults(path, parameters, [*given, *supplied])
    for key, value in given.items():
        full = f"{path}.{key}"
        if key in supplied:
            fix = f"leave {full} out"
            yield Fault(f"{full} is given by the run itself", f"{full} = {value}", "no value here", fix)
        elif key in named:
            recursive = node.get("_recursive_", True)
            yield from _value_faults(full, value, parameters[key], target, recursive)
        elif not open_ended:
            yield unknown_key(full, value, [name for name in named if name not in supplied])


def _missing_faults(
    path: str, parameters: Mapping[str, inspect.Parameter], given: Collection[str]
) -> Iterator[Fault]:
    for name, each in parameters.items():
        optional = each.default is not each.empty or each.kind in (each.VAR_KEYWORD, each.VAR_POSITIONAL)
        if not optional and name not in given:
            yield Fault(
                f"{path} lacks the key {name!r}",
                f"{path}.{name} is missing",
                str(each.annotation),
                f"give +{path}.{name}=..., or add it to the YAML file",
            )


def _value_faults(
    path: str, value: Any, parameter: inspect.Parameter, target: Any, recursive: bool
) -> Iterator[Fault]:
    """Check one value against its annotation; a node is checked as a node, not as a value.

    Where Hydra does not build the inner nodes (``_recursive_: false``), `target` may add what they lack.
    """
    nodes = list(_nodes(path, value))
    for below, node in nodes:
        yield from _node_faults(below, node if recursive else {**node, "_partial_": True}, ())
    if not nodes and parameter.annotation is not parameter.empty:
        yield from _type_faults(path, value, _annotation(parameter, target))


def _nodes(path: str, value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The outermost ``_target_`` nodes within a value, with their paths."""
    if _is_target(value):
        yield path, value
    elif isinstance(value, (dict, list)):
        for key, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _nodes(f"{path}.{key}", below)


def _is_target(value: Any) -> bool:
    return isinstance(value, dict) and "_target_" in value


def _type_faults(path: str, value: Any, annotation: Any) -> Iterator[Fault]:
    adapter: TypeAdapter[Any] = TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    try:
        adapter.validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        expected = annotation_text(annotation)
        first = error.errors()[0]
        if first["type"] == "needs_python_object":
            yield _object_fault(path, value, expected)
            return
        reason = first["msg"].removeprefix("Input ").lower()
        yield Fault(f"{path}: {reason}", f"{path} = {value!r}", expected, f"set {path} to {expected}")


def _object_fault(path: str, value: Any, expected: str) -> Fault:
    """A plain value where a node with ``_target_`` belongs, often a choice of files typed with a dot."""
    choice = f"{path.replace('.', '/')}=NAME"
    fix = f"type {choice} to choose a file, or give a node with _target_ ({expected})"
    return Fault(f"{path} is made by a node, not by a value", f"{path} = {value!r}", expected, fix)


def _annotation(parameter: inspect.Parameter, target: Any) -> Any:
    """Turn an annotation that may be text into a type, with the names of the module that wrote it."""
    function = target.__init__ if inspect.isclass(target) else target
    holder = SimpleNamespace(__annotations__={"value": parameter.annotation})
    return get_type_hints(holder, globalns=inspect.unwrap(function).__globals__, include_extras=True)["value"]


def _parameters(target: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    parameters = dict(inspect.signature(target).parameters)
    if not is_dataclass(target):
        return parameters
    # Inherited fields are written with the names of the module they come from, which only the class knows.
    hints = get_type_hints(target, include_extras=True)
    return {name: each.replace(annotation=hints[name]) for name, each in parameters.items()}


def _locate(path: str) -> Any:
    """Import the class or function at a dotted path."""
    module, _, name = str(path).rpartition(".")
    found = getattr(importlib.import_module(module), name)
    if not callable(found):
        raise ValueError(f"{path} is no class or function")
    return found
