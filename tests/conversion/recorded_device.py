"""Stands in for a physical device: the attributes of akida's objects that are read, with recorded readings.

Clocks, powers, floor and sensor period are those of the vendor's documentation for AkidaNet 0.5 at 224 on an
AKD1000 board (see qana/evaluation/published/streams.csv); only time runs faster, by `SPEED`.
"""

import os
import signal
import time

import numpy as np

SPEED = 70  # of the sensor: a reading every 2 ms instead of every 141
PERIOD_MS = 141
FLOOR_MW = (905.0, 907.0, 912.0)
POWER_MW = (925.0, 1021.0, 1117.0)
SINGLE_CLOCKS, STREAM_CLOCKS = 13_733_572, 4_300_064


class Event:
    def __init__(self, ts, power):
        self.ts, self.power, self.voltage, self.current = ts, power, 5_000_000, power / 5


class Meter:
    """Readings come with time, and are handed out once."""

    def __init__(self, chip):
        self.chip, self.read, self.begun = chip, 0, time.monotonic()
        self.silent = False

    def events(self):
        due = 0 if self.silent else int((time.monotonic() - self.begun) * 1e3 * SPEED / PERIOD_MS)
        powers = POWER_MW if self.chip.streaming else FLOOR_MW
        made = [Event(PERIOD_MS * n, powers[n % 3]) for n in range(self.read, due)]
        self.read = due
        return made


class Soc:
    clock_mode = "ClockMode.Performance"

    def __init__(self, chip):
        self.meter, self.enabled, self.forbidden = Meter(chip), False, False

    @property
    def power_meter(self):
        assert self.enabled
        return self.meter

    @property
    def power_measurement_enabled(self):
        return self.enabled

    @power_measurement_enabled.setter
    def power_measurement_enabled(self, on):
        if self.forbidden:
            raise RuntimeError("Error opening /dev/akida0: Permission denied")
        self.enabled = on


class Device:
    desc = "PCIe/NSoC_v2/0"

    def __init__(self):
        self.streaming = False
        self.soc = Soc(self)


class Metrics:
    def __init__(self, clocks):
        self.names, self._clocks = ["inference_frames", "inference_clk"], clocks

    def __getitem__(self, name):
        return {"inference_frames": 1, "inference_clk": self._clocks}[name]


class Program:
    """A mapped model; `dies` as ``N raise`` or ``N crash`` ends it in its N-th call."""

    def __init__(self, device, dies=None):
        self.device, self.calls, self.images = device, [], []
        self.dies_at, self.how = (int(dies.split()[0]), dies.split()[1]) if dies else (None, None)

    def forward(self, images):
        if len(self.calls) + 1 == self.dies_at:
            if self.how == "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            raise RuntimeError("Device not found: read failed, No such device")
        self.device.streaming = len(images) > 1
        self.images += [int(image.ravel()[0]) for image in images]
        # The first calls of a device that has just been programmed are slow.
        warm = len(self.calls) >= 2
        self.calls.append(len(images))
        clocks = SINGLE_CLOCKS if len(images) == 1 else STREAM_CLOCKS * len(images)
        self.metrics = Metrics(clocks if warm else 10 * clocks)
        time.sleep(0.001)
        return np.zeros((len(images), 1, 1, 3), np.int32)

    @property
    def statistics(self):
        raise AssertionError("the frame rate of the statistics is never read")


# What a child process finds in place of the `akida` package: see `test_device_measurement.stand_in`.
PACKAGE = """
import os, recorded_device

def devices():
    return [recorded_device.Device()] if os.environ["STAND_IN_ATTACHED"] == "yes" else []

class Model(recorded_device.Program):
    def __init__(self, path):
        pass
    def map(self, device, hw_only):
        assert hw_only
        super().__init__(device, os.environ.get("STAND_IN_DIES"))
"""
