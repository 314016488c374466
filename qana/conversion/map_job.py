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
    facts = {**describe_mapping(program, name), "advice": []}
    # Written before the advice, which maps again, and mapping can take the process down.
    (folder / "mapping.json").write_text(json.dumps(facts))
    if facts["passes"] > 1:
        available = facts["nps_available"]
        facts["advice"] = advise(mapped_amply(program), passes=facts["passes"], available=available)
        (folder / "mapping.json").write_text(json.dumps(facts))


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
