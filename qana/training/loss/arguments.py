"""Refuses arguments of a loss that lie outside their range, all of them in one message."""

from __future__ import annotations

import math
from typing import NamedTuple

from qana.errors import QanaError, listed


class Argument(NamedTuple):
    """One argument of a loss and whether it lies in its range.

    Attributes:
        key: name in `training.loss`.
        value: as given.
        ok: whether the value lies in the range.
        allowed: the range in words.
    """

    key: str
    value: float
    ok: bool
    allowed: str


def label_smoothing_argument(value: float) -> Argument:
    """The range that label smoothing has in every loss."""
    return Argument("label_smoothing", value, 0 <= value < 1, "0 (off) up to, not including, 1")


def require(*arguments: Argument) -> None:
    """Check that every argument is a finite number in its range.

    Raises:
        QanaError: some are not; names each of them.
    """
    wrong = [each for each in arguments if not (each.ok and math.isfinite(each.value))]
    if wrong:
        raise QanaError(
            f"the loss cannot use {listed([f'{each.key} = {each.value}' for each in wrong])}",
            where=listed([f"training.loss.{each.key} = {each.value}" for each in wrong]),
            allowed="; ".join(f"{each.key}: {each.allowed}" for each in wrong),
            fix=f"choose {listed([f'training.loss.{each.key}' for each in wrong])} in that range",
        )
