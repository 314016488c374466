"""What the float network costs on this host: the number the chip is compared with."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from qana.evaluation.rapl import POWERCAP, EnergyCounter


@dataclass(frozen=True)
class HostMeasurement:
    """Batch-1 cost of the float network, measured on this host.

    Attributes:
        device: processor or GPU name, with the number of threads for a processor.
        p50_ms: median latency.
        p95_ms: 95th percentile of the latency.
        energy_mj: mean energy per image of the processor packages (everything that ran on them included);
            None where the counters cannot be read or the network ran on a GPU: never guessed.
    """

    device: str
    p50_ms: float
    p95_ms: float
    energy_mj: float | None

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, shaped as in the report."""
        energy = None if self.energy_mj is None else {"value": self.energy_mj, "provenance": "measured"}
        return {
            "device": self.device,
            "latency_ms": {"p50": self.p50_ms, "p95": self.p95_ms},
            "energy_mj": energy,
        }


def measure_host(
    network: nn.Module,
    image_shape: tuple[int, int, int],
    *,
    runs: int,
    warmup: int,
    powercap: Path = POWERCAP,
) -> HostMeasurement:
    """Time `runs` forward passes of one image after `warmup` passes that are not counted.

    Args:
        network: takes (1, 3, H, W) float32; timed in eval mode on the device of its parameters.
        image_shape: (H, W, 3).
        runs: timed passes, at least 1.
        warmup: passes before.
        powercap: folder of the Linux power-capping interface, which holds the energy counters.
    """
    device = next(network.parameters()).device
    height, width, channels = image_shape
    image = torch.rand(1, channels, height, width, generator=torch.Generator().manual_seed(0)).to(device)
    counter = EnergyCounter(powercap) if device.type == "cpu" else None
    with _eval_mode(network), torch.inference_mode():
        for _ in range(warmup):
            _forward_ms(network, image)
        before_uj = counter.read_uj() if counter else None
        latencies = [_forward_ms(network, image) for _ in range(runs)]
        spent_uj = counter.spent_uj(before_uj) if counter and before_uj is not None else None
    p50, p95 = np.percentile(latencies, [50, 95])
    energy_mj = None if spent_uj is None else spent_uj / 1e3 / runs
    return HostMeasurement(_device_name(device), float(p50), float(p95), energy_mj)


@contextmanager
def _eval_mode(network: nn.Module) -> Iterator[None]:
    was_training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was_training)


def _forward_ms(network: nn.Module, image: Tensor) -> float:
    start_s = time.perf_counter()
    network(image)
    if image.is_cuda:
        torch.cuda.synchronize(image.device)
    return (time.perf_counter() - start_s) * 1e3


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{_processor_name()}, {torch.get_num_threads()} threads"


def _processor_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
