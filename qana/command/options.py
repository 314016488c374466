"""Reads the ``key=value`` options of a command that composes no experiment of its own."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence

from qana.command.chosen_tracking import is_below, key_of
from qana.errors import QanaError, listed

CHOICES_OF_TRACKING = "tracking=local|server, tracking.root=..., tracking.uri=..., tracking.experiment=..."


def read_options(
    command: str, arguments: Sequence[str], defaults: Mapping[str, str | None]
) -> tuple[dict[str, str | None], Namespace]:
    """Part a command line into the command's own options and those that choose the store.

    Args:
        command: its name, for messages.
        arguments: as typed.
        defaults: option to its value where it is not typed.

    Returns:
        The options, and parsed arguments for `chosen_tracking`.

    Raises:
        QanaError: every argument that is neither.
    """
    options, store, unknown = dict(defaults), [], []
    for argument in arguments:
        key, separator, value = argument.partition("=")
        if key in defaults and separator:
            options[key] = value or None
        elif separator and is_below(key_of(argument), "tracking"):
            store.append(argument)
        else:
            unknown.append(argument)
    if unknown:
        raise QanaError(
            f"qana {command} does not know {listed(unknown)}",
            where=f"qana {command} {' '.join(arguments)}",
            allowed=f"{', '.join(f'{key}=...' for key in defaults)}; {CHOICES_OF_TRACKING}",
            fix=f"see qana {command} --help",
        )
    from qana.command.composition import parse_arguments

    return options, parse_arguments(store)


def require_choice(command: str, key: str, value: str | None, allowed: Sequence[str]) -> str:
    """Give the value back where it is one of `allowed`.

    Raises:
        QanaError: it is not.
    """
    if value is None or value not in allowed:
        raise QanaError(
            f"{key} cannot be {value!r}",
            where=f"qana {command} {key}={value}",
            allowed=", ".join(allowed),
            fix="choose one of them",
        )
    return value


def require_count(command: str, key: str, value: str | None, *, smallest: int) -> int:
    """Read a whole number of at least `smallest`.

    Raises:
        QanaError: it is none.
    """
    if value is None or not value.isdecimal() or int(value) < smallest:
        raise QanaError(
            f"{key} cannot be {value!r}",
            where=f"qana {command} {key}={value}",
            allowed=f"a whole number of at least {smallest}",
            fix=f"give {key} such a number",
        )
    return int(value)
