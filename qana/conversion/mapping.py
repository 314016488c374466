"""Map a program in a child process, and take whatever becomes of it as a result."""

from __future__ import annotations

import json
from pathlib import Path

from qana.conversion.child import ConversionError, Limits, run_child
from qana.conversion.product import MappingReport

RESULT = "mapping.json"


def map_in_child(job: Path, *, device: str, limits: Limits, log: Path) -> MappingReport:
    """Map ``model.fbz`` as ``job.json`` says; a mapper that dies or runs past its limits is a result too.

    Args:
        job: folder with both files.
        device: name for the report of a mapping that failed.
        limits: of the child process.
        log: file for what the child prints.

    Returns:
        How the program sits on the device, or, with `MappingReport.failure`, how the mapper ended.

    Raises:
        QanaError: the program does not fit the device, or there is no such device.
    """
    (job / RESULT).unlink(missing_ok=True)
    try:
        run_child("qana.conversion.map_job", job, limits=limits, log=log, on_message=lambda _: None)
    except ConversionError as error:
        if not (job / RESULT).exists():  # else only the advice, which comes last, is missing
            return failed_mapping(device, str(error))
    return read_mapping(job / RESULT)


def read_mapping(path: Path) -> MappingReport:
    """The mapping that `qana.conversion.map_job` wrote down."""
    facts = json.loads(path.read_text())
    total = sum(facts["nps_by_layer"].values())
    return MappingReport(**{**facts, "nps": total, "advice": tuple(facts["advice"])})


def failed_mapping(device: str, reason: str) -> MappingReport:
    """The report of a program that was never placed on the device.

    Args:
        device: its name.
        reason: how the mapper ended.
    """
    return MappingReport(
        device=device,
        sequences=0,
        passes=0,
        nps=0,
        program_bytes=0,
        hardware_only=False,
        advice=(
            f"the mapper did not come to an end on {device}: {reason}",
            "leave out residual blocks, merge them one at a time, or choose a larger device",
        ),
        failure=reason,
    )
