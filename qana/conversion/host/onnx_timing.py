"""Time a float network with ONNX Runtime, in a child process: nothing else imports it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from qana.conversion.child import Limits, run_child
from qana.conversion.host.timing import HostRun
from qana.errors import StageFailedError

LIMITS = Limits(timeout_s=600, memory_gib=8)


def time_onnx(
    network: nn.Module,
    image_shape: tuple[int, int, int],
    *,
    batches: Sequence[int],
    runs: int,
    warmup: int,
    device: str,
    powercap: Path,
) -> list[HostRun]:
    """Export a network and time it at every batch size, on the processor and on a GPU that the runtime has.

    The runtime gets as many threads as torch has here.

    Args:
        network: float, on the CPU, pixels (N, 3, H, W) to logits.
        image_shape: (H, W, 3).
        batches: images per call.
        runs: timed calls of each.
        warmup: calls before.
        device: what the processor is called.
        powercap: folder of the energy counters.

    Raises:
        StageFailedError: it does not export, or the child ended without a result.
    """
    from qana.conversion.export_onnx import export_onnx  # only here: the float path works without ONNX

    with tempfile.TemporaryDirectory(prefix="qana-host-") as scratch:
        job = Path(scratch)
        try:
            export_onnx(network, image_shape, job / "float.onnx")
        except (RuntimeError, ValueError, TypeError) as error:
            raise StageFailedError(f"it does not export to ONNX: {' '.join(str(error).split())}") from error
        asked = {
            "image_shape": list(image_shape),
            "batches": list(batches),
            "runs": runs,
            "warmup": warmup,
            "device": device,
            "threads": torch.get_num_threads(),
            "powercap": str(powercap),
        }
        (job / "job.json").write_text(json.dumps(asked))
        log = job / "timing.log"
        run_child(
            "qana.conversion.host.onnx_timing_job", job, limits=LIMITS, log=log, on_message=lambda _: None
        )
        return [HostRun(**row) for row in json.loads((job / "timing.json").read_text())]
