"""The child process that maps a program onto a virtual device.

Run as ``python -m qana.conversion.map_job JOB``; JOB is the folder of the ladder, with ``model.fbz`` and
``job.json``. Leaves ``mapping.json``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import akida

from qana.conversion.child import report_to_parent
from qana.errors import QanaError


def map_program(folder: Path) -> None:
    """Map hardware-only and write down where everything went."""
    job = json.loads((folder / "job.json").read_text())
    program = akida.Model(str(folder / "model.fbz"))
    device = getattr(akida, job["device"])()
    try:
        program.map(device, hw_only=True)
    except (RuntimeError, ValueError) as error:
        raise QanaError(
            f"the program does not fit {job['device']}: {' '.join(str(error).split())}",
            where="conversion.device, backbone",
            allowed=f"a program that {job['device']} runs without falling back on the host",
            fix="make the network narrower or shallower, or choose another conversion",
        ) from error
    (folder / "mapping.json").write_text(json.dumps(describe_mapping(program, job["device"])))


def describe_mapping(program: akida.Model, device: str) -> dict[str, object]:
    """Sequences, passes, NPs and program size of a mapped program."""
    sequences = program.sequences
    nps = {layer.name: len(layer.mapping.nps) if layer.mapping else 0 for layer in program.layers}
    return {
        "device": device,
        "sequences": len(sequences),
        "passes": sum(len(sequence.passes) for sequence in sequences),
        "nps": nps,
        "program_bytes": sum(len(sequence.program) for sequence in sequences if sequence.program is not None),
        "hardware_only": all(sequence.backend == akida.BackendType.Hardware for sequence in sequences),
    }


if __name__ == "__main__":
    with report_to_parent():
        map_program(Path(sys.argv[1]))
