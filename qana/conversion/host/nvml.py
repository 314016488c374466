"""The energy counter of an NVIDIA GPU, where its driver keeps one (Volta and later)."""

from __future__ import annotations

import ctypes
from typing import Any

LIBRARY = "libnvidia-ml.so.1"


class GpuEnergyCounter:
    """Reads ``nvmlDeviceGetTotalEnergyConsumption`` (millijoules since the driver was loaded).

    Reference: NVML API, "Device Queries". Everything that runs on the GPU is in it.

    Args:
        uuid: of the GPU, ``GPU-...``: indices of CUDA and of NVML differ.
        library: the driver's library, loaded; None where there is none.
    """

    def __init__(self, uuid: str, library: Any | None) -> None:
        self._library, self._handle = library, ctypes.c_void_p()
        found = library is not None and library.nvmlInit_v2() == 0
        self._readable = bool(
            found and library.nvmlDeviceGetHandleByUUID(uuid.encode(), ctypes.byref(self._handle)) == 0  # type: ignore[union-attr]
        )

    def read_uj(self) -> list[int] | None:
        """The counter in microjoules; None where the driver has none or does not let us read it."""
        millijoules = ctypes.c_ulonglong()
        if not self._readable or self._library is None:
            return None
        if self._library.nvmlDeviceGetTotalEnergyConsumption(self._handle, ctypes.byref(millijoules)) != 0:
            return None
        return [millijoules.value * 1000]

    def spent_uj(self, before: list[int]) -> int | None:
        """Microjoules since `before`."""
        after = self.read_uj()
        return None if after is None else after[0] - before[0]


def nvml_library() -> Any | None:
    """The driver's library; None on a machine without one."""
    try:
        return ctypes.CDLL(LIBRARY)
    except OSError:
        return None
