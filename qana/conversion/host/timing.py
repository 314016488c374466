"""Times calls of a network on this host, with the energy that counters saw meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np


class Counter(Protocol):
    """An energy counter of this host."""

    def read_uj(self) -> list[int] | None:
        """Its readings now, in microjoules; None where it cannot be read."""

    def spent_uj(self, before: list[int]) -> int | None:
        """Microjoules since `before`."""


@dataclass(frozen=True)
class HostRun:
    """One runtime on one device with one batch size.

    Attributes:
        runtime: with its version, such as ``torch 2.13.0``.
        device: name of the processor or GPU.
        on_gpu: which of the two it is.
        batch: images per call.
        runs: timed calls.
        p50_ms: median latency of a call.
        p95_ms: 95th percentile.
        p99_ms: 99th percentile; of fewer than 100 calls it leans on the slowest one.
        images_per_s: all images over the time of all calls.
        energy_mj: per image, of the whole package or GPU; None where no counter can be read.
    """

    runtime: str
    device: str
    on_gpu: bool
    batch: int
    runs: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    images_per_s: float
    energy_mj: float | None

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, shaped as in the report."""
        energy = None if self.energy_mj is None else {"value": self.energy_mj, "provenance": "measured"}
        return {**asdict(self), "energy_mj": energy}


def time_calls(
    call: Callable[[], object],
    *,
    runtime: str,
    device: str,
    on_gpu: bool,
    batch: int,
    runs: int,
    warmup: int,
    counter: Counter | None,
) -> HostRun:
    """Call `runs` times after `warmup` times that are not counted.

    Args:
        call: returns when the answer is there.
        runtime: for the result.
        device: for the result.
        on_gpu: for the result.
        batch: images per call.
        runs: at least 1.
        warmup: calls before.
        counter: of the device that works; None where there is none.
    """
    for _ in range(warmup):
        call()
    before = counter.read_uj() if counter else None
    latencies = [_call_ms(call) for _ in range(runs)]
    spent = counter.spent_uj(before) if counter and before is not None else None
    p50, p95, p99 = np.percentile(latencies, [50, 95, 99])
    return HostRun(
        runtime=runtime,
        device=device,
        on_gpu=on_gpu,
        batch=batch,
        runs=runs,
        p50_ms=float(p50),
        p95_ms=float(p95),
        p99_ms=float(p99),
        images_per_s=batch * runs / (sum(latencies) / 1e3),
        energy_mj=None if spent is None else spent / 1e3 / (runs * batch),
    )


def _call_ms(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return (time.perf_counter() - begun) * 1e3
