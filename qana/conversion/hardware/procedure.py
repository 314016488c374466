"""How a program is measured on a device: idle floor, warm-up, single images, stream.

Written against the few attributes of the SDK's objects that it reads (akida 2.19.3: ``Model.forward``,
``Model.metrics``, ``HardwareDevice.soc`` with ``power_meter``, ``power_measurement_enabled`` and
``clock_mode``), without importing it, so that a recorded stand-in can take its place.

``Model.statistics`` is not read: its frame rate is there for the software backend too, where it is the speed
of this host.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qana.conversion.hardware.measurement import DeviceMeasurement, Spread, spread
from qana.errors import QanaError

# Clocks of the AKD1000 by ``soc.clock_mode``, MHz (vendor user guide).
CLOCK_MHZ = {"Performance": 300.0, "Economy": 100.0, "LowPower": 5.0}
POLL_S = 0.05
Images = NDArray[np.uint8]
Keep = Callable[[DeviceMeasurement], None]


class Program(Protocol):
    """A mapped ``akida.Model``, as far as it is read."""

    metrics: Any

    def forward(self, images: Images) -> Any:
        """Run the images on the device."""


class Device(Protocol):
    """An ``akida.HardwareDevice``, as far as it is read."""

    desc: str
    soc: Any


class SensorSilentError(RuntimeError):
    """The power sensor does not give the readings that it should."""


@dataclass(frozen=True)
class Procedure:
    """How much of everything is measured.

    Attributes:
        warmup_images: single images that are not counted.
        single_images: single images that are.
        stream_images: images in one call of the stream.
        min_power_readings: of the sensor, idle and in the stream; 30 periods of 141 ms are 4.2 s on AKD1000.
        max_wait_s: longest wait for these readings, each time.
    """

    warmup_images: int
    single_images: int
    stream_images: int
    min_power_readings: int
    max_wait_s: float

    def run(self, program: Program, device: Device, images: Images, keep: Keep) -> DeviceMeasurement:
        """Measure, and hand on what is known after every step.

        Args:
            program: mapped on `device`.
            device: physical.
            images: (N, H, W, 3); taken in turns.
            keep: called after every step with all that is known so far.

        Raises:
            QanaError: there is no image.
            RuntimeError: the device stopped answering; what was kept before stands.
        """
        if not len(images):
            raise QanaError(
                "there is no image to measure the device with",
                where="dataset",
                allowed="a test split with at least one image",
                fix="choose another split; the scores of the run stand",
            )
        power = _Power(device, self.min_power_readings, self.max_wait_s)
        found = DeviceMeasurement(str(device.desc), clock_mhz=_clock_mhz(device), power_absent=power.absent)
        keep(found)
        floor = power.idle()
        found = replace(found, floor_power_mw=floor, power_absent=power.absent)
        keep(found)
        found = self._single(program, images, found)
        keep(found)
        found = self._stream(program, images, found, power)
        keep(found)
        return found

    def _single(self, program: Program, images: Images, found: DeviceMeasurement) -> DeviceMeasurement:
        for index in range(self.warmup_images):
            _call(program, _taken(images, index, 1))
        calls = [_call(program, _taken(images, index, 1)) for index in range(self.single_images)]
        return replace(
            found,
            single_wall_ms=spread([call.wall_ms for call in calls]),
            single_core_ms=_core_ms(calls, found.clock_mhz),
        )

    def _stream(
        self, program: Program, images: Images, found: DeviceMeasurement, power: _Power
    ) -> DeviceMeasurement:
        batch = _taken(images, 0, self.stream_images)
        calls: list[_Call] = []
        power.discard()
        begun = time.monotonic()
        while not calls or not power.enough(begun):
            calls.append(_call(program, batch))
            power.listen()
        wall = spread([call.wall_ms / len(batch) for call in calls])
        core = _core_ms(calls, found.clock_mhz)
        found = replace(
            found,
            stream_wall_ms=wall,
            stream_core_ms=core and core.times(1 / len(batch)),
            power_absent=power.absent,
        )
        return power.energy(found, wall)


class _Power:
    """The power sensor of a device, or the reason why it cannot be read."""

    def __init__(self, device: Device, readings: int, max_wait_s: float) -> None:
        self._readings, self._max_wait_s = readings, max_wait_s
        self._heard: list[Any] = []
        self.absent: str | None = None
        self._meter: Any = None
        if device.soc is None:
            self.absent = "the device has no power sensor that the SDK reads"
            return
        try:
            device.soc.power_measurement_enabled = True
            self._meter = device.soc.power_meter
            self._meter.events()
        except (RuntimeError, OSError) as error:  # a counter without permission, a board without the sensor
            self._lose(error)

    def idle(self) -> Spread | None:
        """Floor power in mW, while nothing runs."""
        begun = time.monotonic()
        while not self.enough(begun):
            time.sleep(POLL_S)
            self.listen()
        return spread([event.power for event in self._heard]) if self.absent is None else None

    def discard(self) -> None:
        """Forget what was heard so far, and the first reading to come: it averages over what was before."""
        self.listen()
        self._heard = []

    def listen(self) -> None:
        """Take the readings that wait at the sensor; its queue is short, so it is emptied often."""
        if self.absent is None:
            try:
                self._heard += self._meter.events()
            except OSError as error:
                self._lose(error)

    def enough(self, begun: float) -> bool:
        """Whether no more has to be waited for; a sensor that stays silent is given up."""
        if self.absent is None and time.monotonic() - begun > self._max_wait_s:
            few = f"{len(self._heard)} readings instead of {self._readings} in {self._max_wait_s:g} s"
            self._lose(SensorSilentError(f"the sensor gave {few}"))
        return self.absent is not None or len(self._heard) >= self._readings

    def energy(self, found: DeviceMeasurement, wall_ms: Spread) -> DeviceMeasurement:
        """Add power and energy per image, if the sensor was heard to the end."""
        floor = found.floor_power_mw
        if self.absent is not None or floor is None:
            return found
        heard = self._heard[1:] or self._heard  # the first one averages over what was before
        power = spread([event.power for event in heard])
        mean_mw = statistics.fmean(event.power for event in heard)
        total = power.times(wall_ms.value / 1e3)
        total = replace(total, value=mean_mw * wall_ms.value / 1e3)
        periods = [later.ts - event.ts for event, later in pairwise(heard)]
        return replace(
            found,
            power_mw=replace(power, value=mean_mw),
            energy_mj=total,
            energy_above_floor_mj=total.less(floor.value * wall_ms.value / 1e3),
            sensor_period_ms=statistics.median(periods) if periods else None,
        )

    def _lose(self, error: Exception) -> None:
        self.absent = f"power cannot be read: {' '.join(str(error).split())}"


@dataclass(frozen=True)
class _Call:
    wall_ms: float
    clocks: int | None


def _call(program: Program, images: Images) -> _Call:
    begun = time.perf_counter()
    program.forward(images)
    wall_ms = (time.perf_counter() - begun) * 1e3
    metrics = program.metrics
    known = "inference_clk" in metrics.names
    return _Call(wall_ms, int(metrics["inference_clk"]) if known else None)


def _core_ms(calls: list[_Call], clock_mhz: float | None) -> Spread | None:
    clocks = [call.clocks for call in calls if call.clocks is not None]
    if clock_mhz is None or len(clocks) < len(calls):
        return None
    return spread([count / (clock_mhz * 1e3) for count in clocks])


def _clock_mhz(device: Device) -> float | None:
    if device.soc is None:
        return None
    return CLOCK_MHZ.get(str(device.soc.clock_mode).rsplit(".", 1)[-1])


def _taken(images: Images, first: int, count: int) -> Images:
    """`count` images from the `first` on, beginning again behind the last."""
    return images[np.arange(first, first + count) % len(images)]
