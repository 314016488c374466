"""Measured costs, where a physical device is attached."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qana.conversion.child import Limits
from qana.conversion.hardware import DeviceMeasurement, Procedure, Spread
from qana.conversion.hardware.measure import measure_on_device
from qana.errors import QanaError
from qana.evaluation.cost import Figures
from qana.evaluation.estimate import Estimate


class DeviceMeter:
    """Measures a program on the first device that is attached; says nothing where there is none.

    Args:
        warmup_images: single images that are not counted.
        single_images: single images that are.
        stream_images: images in one call of the stream.
        min_power_readings: of the power sensor, idle and in the stream.
        max_wait_s: longest wait for these readings, each time.
        timeout_s: wall-clock limit of the child process.
        memory_gib: its memory limit.
    """

    def __init__(
        self,
        *,
        warmup_images: int,
        single_images: int,
        stream_images: int,
        min_power_readings: int,
        max_wait_s: float,
        timeout_s: float,
        memory_gib: float,
    ) -> None:
        self.procedure = Procedure(
            warmup_images, single_images, stream_images, min_power_readings, max_wait_s
        )
        asked = dataclasses.asdict(self.procedure)
        wrong = {key: value for key, value in asked.items() if value < (0 if key == "warmup_images" else 1)}
        if min_power_readings < 30:
            wrong["min_power_readings"] = min_power_readings
        if wrong:
            raise QanaError(
                "a device cannot be measured like this",
                where=", ".join(f"evaluation.device.{key} = {value:g}" for key, value in wrong.items()),
                allowed="at least 1 (warmup_images: 0) and at least 30 readings of the power sensor",
                fix="leave out these overrides",
            )
        self.limits = Limits(timeout_s, memory_gib)

    def measure(self, program: Path, images: NDArray[np.uint8], *, log: Path) -> DeviceMeasurement | None:
        """Measure a program; never raises for what a device does.

        Args:
            program: ``model.fbz``.
            images: (N, H, W, 3) uint8.
            log: file for what the child process prints.

        Returns:
            What was measured, with `DeviceMeasurement.failure`; None where no device is attached.
        """
        found = measure_on_device(program, images, procedure=self.procedure, limits=self.limits, log=log)
        if found is None:
            log.unlink(missing_ok=True)
        return found


def measured_figures(found: DeviceMeasurement) -> Figures | None:
    """The headline figures of a measurement; None where it did not come to both of them."""
    latency, energy = found.single_core_ms or found.single_wall_ms, found.energy_mj
    if latency is None or energy is None or found.failure is not None:
        return None
    by = "the chip's clock counter" if found.single_core_ms else "the wall clock"
    return Figures(
        _estimate(latency, f"{found.device}, single images by {by}, {latency.readings} readings"),
        _estimate(
            energy,
            f"{found.device}, stream of images, mean of {energy.readings} readings of the board's sensor"
            " x time on the wall; floor included",
        ),
    )


def _estimate(found: Spread, source: str) -> Estimate:
    return Estimate(found.value, found.low, found.high, "measured", f"{source}; 5th to 95th percentile.")
