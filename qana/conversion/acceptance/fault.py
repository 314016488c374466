"""One reason to refuse a conversion, and the error that tells all of them at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from qana.errors import QanaError, listed

MAX_FAULTS_SHOWN = 8


@dataclass(frozen=True)
class Fault:
    """One reason to refuse.

    Attributes:
        what: what is wrong, with the layer of the program and the torch module that it came from.
        where: the config key behind it.
        allowed: what would have been accepted.
        fix: what to do about it.
    """

    what: str
    where: str
    allowed: str
    fix: str


def refuse(faults: Sequence[Fault], about: str) -> None:
    """Raise one error that tells every fault; do nothing where there are none.

    Args:
        faults: the one to name first comes first.
        about: what is refused, in the words before the colon.

    Raises:
        QanaError: there is at least one fault.
    """
    if not faults:
        return
    raise QanaError(
        f"{about}: {listed([fault.what for fault in faults], MAX_FAULTS_SHOWN)}",
        where=_once(fault.where for fault in faults),
        allowed=_once(fault.allowed for fault in faults),
        fix=_once(fault.fix for fault in faults),
    )


def _once(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(texts))
