"""What was measured on a physical device. Plain data: imports no SDK."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Spread:
    """Repeated readings of one quantity.

    Attributes:
        value: their median.
        low: 5th percentile.
        high: 95th percentile.
        std: standard deviation; 0 of a single reading.
        readings: how many.
    """

    value: float
    low: float
    high: float
    std: float
    readings: int

    def times(self, factor: float) -> Spread:
        """Every reading `factor` times."""
        return Spread(
            self.value * factor, self.low * factor, self.high * factor, self.std * factor, self.readings
        )

    def less(self, amount: float) -> Spread:
        """Every reading less `amount`."""
        return Spread(self.value - amount, self.low - amount, self.high - amount, self.std, self.readings)


def spread(readings: Sequence[float]) -> Spread:
    """Sum up at least one reading."""
    ordered = sorted(readings)
    last = len(ordered) - 1
    return Spread(
        value=statistics.median(ordered),
        low=ordered[round(0.05 * last)],
        high=ordered[round(0.95 * last)],
        std=statistics.stdev(ordered) if last else 0.0,
        readings=len(ordered),
    )


@dataclass(frozen=True)
class DeviceMeasurement:
    """One program on one device; None for what was not reached or cannot be read there.

    Attributes:
        device: as the driver describes it.
        clock_mhz: of the neural processors, from the clock mode.
        single_wall_ms: one image per call, on the wall.
        single_core_ms: the same by the chip's own clock counter.
        stream_wall_ms: per image of calls of many, on the wall.
        stream_core_ms: the same by the clock counter.
        floor_power_mw: of the idle board, before anything ran.
        power_mw: while the stream ran.
        energy_mj: per image of the stream, floor included.
        energy_above_floor_mj: per image of the stream.
        sensor_period_ms: between two readings of the power sensor.
        power_absent: why there is no power, in one line.
        failure: how the measurement ended before it was done; what came before it stands.
    """

    device: str
    clock_mhz: float | None = None
    single_wall_ms: Spread | None = None
    single_core_ms: Spread | None = None
    stream_wall_ms: Spread | None = None
    stream_core_ms: Spread | None = None
    floor_power_mw: Spread | None = None
    power_mw: Spread | None = None
    energy_mj: Spread | None = None
    energy_above_floor_mj: Spread | None = None
    sensor_period_ms: float | None = None
    power_absent: str | None = None
    failure: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, shaped as in the report."""
        return asdict(self)


def from_dict(facts: Mapping[str, Any]) -> DeviceMeasurement:
    """Read back what `DeviceMeasurement.as_dict` gave."""
    spreads = {each.name for each in fields(DeviceMeasurement) if "Spread" in str(each.type)}
    known: dict[str, Any] = {
        name: Spread(**value) if name in spreads and value else value for name, value in facts.items()
    }
    return DeviceMeasurement(**known)
