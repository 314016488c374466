"""A figure with its interval and where it comes from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from qana.errors import QanaError

PROVENANCES = ("measured", "modelled")


@dataclass(frozen=True)
class Estimate:
    """One latency or energy.

    Attributes:
        value: the best single figure.
        low: lower end of the interval.
        high: upper end of the interval.
        provenance: ``measured`` on a physical device or ``modelled``.
        source: formula, constants and their origin, in one paragraph.
    """

    value: float
    low: float
    high: float
    provenance: str
    source: str

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, shaped as in the report."""
        return asdict(self)


@dataclass(frozen=True)
class Range:
    """A constant that is known only within bounds."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:g} [{self.low:g}, {self.high:g}]"

    def plus(self, other: Range) -> Range:
        """The sum, bound by bound: as wide as if both were wrong in the same direction."""
        return Range(self.value + other.value, self.low + other.low, self.high + other.high)

    def times(self, factor: float) -> Range:
        """Every bound `factor` times; `factor` must not be negative."""
        return Range(self.value * factor, self.low * factor, self.high * factor)

    def by(self, other: Range) -> Range:
        """The product of two positive ranges."""
        return Range(self.value * other.value, self.low * other.low, self.high * other.high)

    def modelled(self, source: str) -> Estimate:
        """As a figure of the report."""
        return Estimate(self.value, self.low, self.high, "modelled", source)


def as_range(numbers: Sequence[float], key: str) -> Range:
    """Read ``[value, low, high]`` from a config.

    Raises:
        QanaError: not three positive numbers with low <= value <= high.
    """
    values = [float(number) for number in numbers]
    ordered = len(values) == 3 and 0 < values[1] <= values[0] <= values[2] < math.inf
    if not ordered:
        raise QanaError(
            f"constant {list(numbers)} of the cost model is not a value with its bounds",
            where=f"evaluation.cost.{key} = {list(numbers)}",
            allowed="[value, low, high] with 0 < low <= value <= high",
            fix=f"give evaluation.cost.{key} three numbers in that order",
        )
    return Range(*values)
