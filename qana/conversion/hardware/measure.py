"""Measure a program on an attached device, in a child process that may die without the run."""

from __future__ import annotations

import dataclasses
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qana.conversion.child import ConversionError, Limits, Message, run_child
from qana.conversion.hardware.measurement import DeviceMeasurement, from_dict
from qana.conversion.hardware.procedure import Procedure
from qana.errors import QanaError

RESULT = "measurement.json"
UNKNOWN = "unknown device"


def measure_on_device(
    program: Path, images: NDArray[np.uint8], *, procedure: Procedure, limits: Limits, log: Path
) -> DeviceMeasurement | None:
    """Measure a program on the first device that is attached.

    Nothing that goes wrong here is raised: whoever measures has scores to keep. It is told in
    `DeviceMeasurement.failure`, beside what was measured before.

    Args:
        program: ``model.fbz``.
        images: (N, H, W, 3) uint8.
        procedure: how much of everything.
        limits: of the child process.
        log: file for what the child prints.

    Returns:
        What was measured; None where no device is attached.
    """
    failures: list[str] = []

    def heard(message: Message) -> None:
        if message["kind"] == "failed":
            failures.append(message["reason"])

    with tempfile.TemporaryDirectory(prefix="qana-measurement-") as scratch:
        job = Path(scratch)
        shutil.copy2(program, job / "model.fbz")
        np.save(job / "images.npy", images[: max(procedure.single_images, procedure.stream_images)])
        (job / "job.json").write_text(json.dumps(dataclasses.asdict(procedure)))
        try:
            run_child("qana.conversion.hardware.measure_job", job, limits=limits, log=log, on_message=heard)
        except ConversionError as error:
            failures.append(str(error))
        except QanaError as error:
            failures.append(error.what)
        return _read(job / RESULT, failures)


def _read(result: Path, failures: list[str]) -> DeviceMeasurement | None:
    if not result.exists():
        return DeviceMeasurement(UNKNOWN, failure=failures[0]) if failures else None
    found = from_dict(json.loads(result.read_text()))
    return dataclasses.replace(found, failure=failures[0]) if failures else found
