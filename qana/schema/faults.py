"""Every fault of a config at once, as one user error."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from qana.errors import MAX_OFFENDERS_SHOWN, QanaError

_NEXT_LINE = "\n" + " " * 11  # below the first value of "  allowed: "


@dataclass(frozen=True)
class Fault:
    """One setting that cannot be used.

    Attributes:
        what: what is wrong with it, with the value received.
        where: the full key and its value, such as ``training.epoch = 3``.
        allowed: what would have been accepted there.
        fix: the next thing to type or to change.
    """

    what: str
    where: str
    allowed: str
    fix: str


def as_error(faults: Sequence[Fault]) -> QanaError:
    """Join the faults into one error of four parts; with several, each part has one line per fault.

    Args:
        faults: at least one.
    """
    if len(faults) == 1:
        (only,) = faults
        return QanaError(only.what, where=only.where, allowed=only.allowed, fix=only.fix)
    what = f"{len(faults)} settings are at fault:{_NEXT_LINE}" + _lines([fault.what for fault in faults])
    return QanaError(
        what,
        where=_lines([fault.where for fault in faults]),
        allowed=_lines([f"{fault.where.split(' ')[0]}: {fault.allowed}" for fault in faults]),
        fix=_lines([fault.fix for fault in faults]),
    )


def unknown_key(key: str, value: object, known: Iterable[object], elsewhere: Iterable[str] = ()) -> Fault:
    """The fault of a key that is not there, with the one that was probably meant.

    Args:
        key: full dotted key as given.
        value: value as given.
        known: the names that exist beside it.
        elsewhere: other full keys, searched for the same last name when no neighbour is close.
    """
    names = sorted(str(name) for name in known if not str(name).startswith("_"))
    parent, _, name = key.rpartition(".")
    close = difflib.get_close_matches(name, names, n=1)
    same = [other for other in elsewhere if other.replace("/", ".").rpartition(".")[2] == name]
    if close:
        fix = f"did you mean {f'{parent}.' if parent else ''}{close[0]}?"
    elif same:
        fix = f"did you mean {' or '.join(same)}?"
    else:
        fix = "type one of the allowed keys; `qana run --cfg job` shows the whole config"
    place = f"{parent} has" if parent else "the config has"
    return Fault(f"{place} no key {name!r}", f"{key} = {value}", ", ".join(names) or "no key at all", fix)


def _lines(texts: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(texts))
    shown = distinct[:MAX_OFFENDERS_SHOWN]
    hidden = len(distinct) - len(shown)
    return _NEXT_LINE.join([*shown, f"and {hidden} more"] if hidden else shown)
