"""Type annotations in a user's words, for error messages."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a text",
    "NoneType": "null",
    "Path": "a path",
}
_LIMITS = {
    "Ge": "of at least",
    "Gt": "above",
    "Le": "of at most",
    "Lt": "below",
    "MinLen": "that is not empty",
}


def annotation_text(annotation: Any) -> str:
    """Say what a value must be.

    Example:
        >>> annotation_text(Literal["max", "sum"] | None)
        'one of max, sum or null'
        >>> annotation_text(tuple[float, float])
        'a list of (a number, a number)'
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin in (Union, types.UnionType):
        ordered = sorted(arguments, key=_holds_others)  # "a list, each a text or null" would put null into it
        return " or ".join(annotation_text(choice) for choice in ordered)
    if origin is Annotated:
        limits = [_limit_text(limit) for limit in getattr(arguments[1], "metadata", ())]
        return " ".join([annotation_text(arguments[0]), *limits])
    if origin is not None and issubclass(origin, (Sequence, set, frozenset)):
        return _list_text(origin, arguments)
    if origin is not None and issubclass(origin, Mapping):
        return f"keys ({annotation_text(arguments[0])}) with values ({annotation_text(arguments[1])})"
    name = getattr(annotation, "__name__", str(annotation))
    return _WORDS.get(name, name)


def _holds_others(annotation: Any) -> bool:
    return bool(get_args(annotation)) and get_origin(annotation) is not Literal


def _limit_text(limit: object) -> str:
    """A limit of pydantic's ``Field``; each is a small object with one attribute of its own name."""
    name = type(limit).__name__
    return f"{_LIMITS[name]} {getattr(limit, name.lower(), '')}".rstrip() if name in _LIMITS else str(limit)


def _list_text(origin: type, arguments: tuple[Any, ...]) -> str:
    if origin is tuple and arguments[-1:] != (Ellipsis,):
        return f"a list of ({', '.join(map(annotation_text, arguments))})"
    return f"a list, each {annotation_text(arguments[0])}"
