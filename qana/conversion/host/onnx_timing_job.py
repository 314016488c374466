"""The child process that times ``float.onnx`` with ONNX Runtime.

Run as ``python -m qana.conversion.host.onnx_timing_job JOB`` by `qana.conversion.host.onnx_timing`. Leaves
``timing.json``.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from qana.conversion.child import report_to_parent
from qana.conversion.host.rapl import EnergyCounter
from qana.conversion.host.timing import HostRun, time_calls

CPU, GPU = "CPUExecutionProvider", "CUDAExecutionProvider"


def measure(folder: Path) -> None:
    """Time every batch size on every provider; see the module's description."""
    job = json.loads((folder / "job.json").read_text())
    found: list[HostRun] = []
    providers = [each for each in (CPU, GPU) if each in onnxruntime.get_available_providers()]
    for provider in providers:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = job["threads"]
        session = onnxruntime.InferenceSession(
            str(folder / "float.onnx"), sess_options=options, providers=[provider]
        )
        found += [_timed(session, provider, batch, job) for batch in job["batches"]]
    (folder / "timing.json").write_text(json.dumps([asdict(run) for run in found]))


def _timed(session: Any, provider: str, batch: int, job: dict[str, Any]) -> HostRun:
    height, width, channels = job["image_shape"]
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (batch, channels, height, width)).astype(np.float32)
    on_cpu = provider == CPU
    return time_calls(
        lambda: session.run(None, {"pixels": pixels}),
        runtime=f"onnxruntime {onnxruntime.__version__}",
        device=job["device"] if on_cpu else "CUDA",
        on_gpu=not on_cpu,
        batch=batch,
        runs=job["runs"],
        warmup=job["warmup"],
        counter=EnergyCounter(Path(job["powercap"])) if on_cpu else None,
    )


if __name__ == "__main__":
    with report_to_parent():
        measure(Path(sys.argv[1]))
