"""What the float network costs on this host: the number the chip is compared with."""

from __future__ import annotations

import copy
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from qana.conversion.host.nvml import GpuEnergyCounter, nvml_library
from qana.conversion.host.onnx_timing import time_onnx
from qana.conversion.host.rapl import POWERCAP, EnergyCounter
from qana.conversion.host.timing import Counter, HostRun, time_calls
from qana.errors import StageFailedError


@dataclass(frozen=True)
class HostMeasurement:
    """Cost of the float network, measured on this host.

    Attributes:
        runs: every runtime, device and batch size; the first is torch where the network is, batch 1. Energy
            is None where no counter can be read: never guessed.
        absent: what could not be measured, and why, one line each.
    """

    runs: tuple[HostRun, ...]
    absent: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, shaped as in the report: the first run on top."""
        first = self.runs[0].as_dict()
        return {
            "device": first["device"],
            "latency_ms": {end: first[f"{end}_ms"] for end in ("p50", "p95", "p99")},
            "energy_mj": first["energy_mj"],
            "runs": [run.as_dict() for run in self.runs],
            "absent": list(self.absent),
        }


def measure_host(
    network: nn.Module,
    image_shape: tuple[int, int, int],
    *,
    batches: Sequence[int],
    runs: int,
    warmup: int,
    powercap: Path = POWERCAP,
) -> HostMeasurement:
    """Time `runs` calls of every batch size, with torch and ONNX Runtime, on the CPU and on a GPU.

    Args:
        network: takes (N, 3, H, W) float32; timed in eval mode where its parameters are, and on a CUDA device
            where there is one.
        image_shape: (H, W, 3).
        batches: images per call; the first one leads the report.
        runs: timed calls, at least 1.
        warmup: calls before.
        powercap: folder of the Linux power-capping interface, which holds the energy counters.
    """
    at_home = next(network.parameters()).device
    found = [_torch_run(network, image_shape, batch, runs, warmup, at_home, powercap) for batch in batches]
    absent: list[str] = []
    if at_home.type == "cpu":
        try:
            found += time_onnx(
                copy.deepcopy(network),
                image_shape,
                batches=batches,
                runs=runs,
                warmup=warmup,
                device=found[0].device,
                powercap=powercap,
            )
        except (StageFailedError, ImportError) as error:
            absent.append(f"ONNX Runtime was not timed: {error}")
        if torch.cuda.is_available():
            gpu = torch.device("cuda")
            there = copy.deepcopy(network).to(gpu)
            found += [_torch_run(there, image_shape, batch, runs, warmup, gpu, powercap) for batch in batches]
    if all(run.energy_mj is None for run in found):
        absent.append("energy was not measured: no counter of this host can be read (RAPL, NVML)")
    return HostMeasurement(tuple(found), tuple(absent))


def _torch_run(
    network: nn.Module,
    image_shape: tuple[int, int, int],
    batch: int,
    runs: int,
    warmup: int,
    device: torch.device,
    powercap: Path,
) -> HostRun:
    height, width, channels = image_shape
    images = torch.rand(batch, channels, height, width, generator=torch.Generator().manual_seed(0))
    images = images.to(device)

    def call() -> None:
        network(images)
        if images.is_cuda:
            torch.cuda.synchronize(device)

    with _eval_mode(network), torch.inference_mode():
        return time_calls(
            call,
            runtime=f"torch {torch.__version__.partition('+')[0]}",
            device=_device_name(device),
            on_gpu=device.type == "cuda",
            batch=batch,
            runs=runs,
            warmup=warmup,
            counter=_counter(device, powercap),
        )


def _counter(device: torch.device, powercap: Path) -> Counter:
    if device.type == "cuda":
        uuid = str(torch.cuda.get_device_properties(device).uuid)
        return GpuEnergyCounter(uuid if uuid.startswith("GPU-") else f"GPU-{uuid}", nvml_library())
    return EnergyCounter(powercap)


@contextmanager
def _eval_mode(network: nn.Module) -> Iterator[None]:
    was_training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was_training)


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
