"""The child process that measures a program on the first device that is attached.

Run as ``python -m qana.conversion.hardware.measure_job JOB``; JOB holds ``model.fbz``, ``images.npy`` and
``job.json`` (the fields of `Procedure`). Leaves ``measurement.json``, written anew after every step, so that
a device or driver that dies does not take along what was known; leaves nothing where no device is attached.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import akida
import numpy as np

from qana.conversion.child import report_to_parent
from qana.conversion.hardware.measurement import DeviceMeasurement
from qana.conversion.hardware.procedure import Procedure

RESULT = "measurement.json"


def measure(folder: Path) -> None:
    """Measure, if there is a device; see the module's description.

    Raises:
        RuntimeError: the program does not map there, or the device stopped answering.
    """
    devices = akida.devices()
    if not devices:
        return
    device = devices[0]

    def keep(found: DeviceMeasurement) -> None:
        partial = folder / f".{RESULT}.partial"
        partial.write_text(json.dumps(found.as_dict()))
        os.replace(partial, folder / RESULT)

    keep(DeviceMeasurement(str(device.desc)))
    program = akida.Model(str(folder / "model.fbz"))
    program.map(device, hw_only=True)
    procedure = Procedure(**json.loads((folder / "job.json").read_text()))
    procedure.run(program, device, np.load(folder / "images.npy"), keep)


if __name__ == "__main__":
    with report_to_parent() as send:
        try:
            measure(Path(sys.argv[1]))
        except RuntimeError as failure:  # what the SDK raises when a device or its driver fails
            send({"kind": "failed", "reason": " ".join(str(failure).split())})
