"""Measuring a program on a physical device, where one is attached."""

from qana.conversion.hardware.measurement import DeviceMeasurement, Spread
from qana.conversion.hardware.procedure import Procedure

__all__ = ["DeviceMeasurement", "Procedure", "Spread"]
