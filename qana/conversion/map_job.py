"""The child process that maps a program onto a virtual device.

Run as ``python -m qana.conversion.map_job JOB``; JOB is the folder of the ladder, with ``model.fbz`` and
``job.json``. Leaves ``mapping.json``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import akida

from qana.conversion.child import report_to_parent
from qana.conversion.device import device_name, mapped_amply, virtual_device
from qana.conversion.mapping_facts import advise, describe_mapping, needed_nps, shrink
from qana.errors import QanaError


def map_program(folder: Path) -> None:
    """Map hardware-only and write down where everything went.

    Raises:
        QanaError: no such device, or the program does not fit it.
    """
    job = json.loads((folder / "job.json").read_text())
    program = akida.Model(str(folder / "model.fbz"))
    built = virtual_device(job["device"], job.get("nodes"), program)
    name = device_name(job["device"], job.get("nodes"), built)
    try:
        program.map(built, hw_only=True)
    except (RuntimeError, ValueError) as error:
        raise _does_not_fit(program, name, len(built.mesh.nps), " ".join(str(error).split())) from error
    facts = {**describe_mapping(program, name), "mode": "AllNps", "advice": []}
    # Written before more is tried, which maps again, and mapping can take the process down.
    _write(folder, facts)
    if facts["passes"] > 1:
        facts = in_fewer_passes(program, built, facts)
        _write(folder, facts)
        facts["advice"] = advise(mapped_amply(program), built, passes=facts["passes"])
        _write(folder, facts)


def in_fewer_passes(program: akida.Model, device: akida.Device, facts: dict[str, Any]) -> dict[str, Any]:
    """Map with as few processors as possible and describe that, where it saves passes; else return `facts`.

    The SDK's default mode hands out all processors, which can make a pass out of what would fit the last one.

    Args:
        program: mapped in the default mode; left as it is.
        device: the same.
        facts: of the default mode.
    """
    frugal = akida.Model(layers=program.layers)
    try:
        frugal.map(device, hw_only=True, mode=akida.MapMode.Minimal)
    except (RuntimeError, ValueError):
        return facts
    tried = {**describe_mapping(frugal, facts["device"]), "mode": "Minimal", "advice": []}
    return tried if tried["passes"] < facts["passes"] else facts


def _write(folder: Path, facts: dict[str, Any]) -> None:
    """Replace the file as a whole: the process may die at any time."""
    partial = folder / "mapping.partial"
    partial.write_text(json.dumps(facts))
    partial.replace(folder / "mapping.json")


def _does_not_fit(program: akida.Model, name: str, available: int, sdk: str) -> QanaError:
    short, fix = "", "make the network narrower or shallower, or the images smaller"
    amply = mapped_amply(program)
    if amply is not None and needed_nps(amply) > available:
        short = f" (it takes at least {needed_nps(amply)} neural processors, the device has {available})"
        fix += f" ({'; '.join(shrink(amply))})"
    return QanaError(
        f"the program does not fit {name}{short}: {sdk}",
        where="conversion.device, backbone",
        allowed=f"a program that {name} runs without falling back on the host",
        fix=f"{fix}, or choose another conversion",
    )


if __name__ == "__main__":
    with report_to_parent():
        map_program(Path(sys.argv[1]))
