"""The vendor's own way from ONNX to Akida v2 at 8 bits, as a second opinion on ours.

It takes the file directly, quantizes it with its own rules and gives a second program. The two are different
quantizations of one network, so they need not be equal; how far they agree is written down.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qana.conversion.child import ConversionError, Limits, run_child
from qana.conversion.foreign_acceptance import agreement, correlation
from qana.errors import QanaError

REPORT = "vendor_route.json"
LOGITS = "vendor_akida.npy"


def cross_check(job: Path, folder: Path, *, limits: Limits, program_logits: NDArray[np.float32]) -> Path:
    """Convert the same file the vendor's way and compare the two programs.

    Args:
        job: folder of the conversion, with ``model.onnx``, ``images.npy`` and ``samples.npy``.
        folder: where the report and the log go.
        limits: of the child process.
        program_logits: (N, classes), of our program.

    Returns:
        The report: ``result`` is ``converted``, ``refused`` or ``crashed``, with the reason; where it
        converted, on how many test images both programs name the same class, and how their logits correlate.
    """
    log = folder / "vendor_route.log"
    report: dict[str, Any]
    try:
        run_child("qana.conversion.vendor_route_job", job, limits=limits, log=log, on_message=lambda _: None)
    except QanaError as error:
        report = {"result": "refused", "reason": error.what}
    except ConversionError as error:
        report = {"result": "crashed", "reason": str(error)}
    else:
        theirs, file_logits = np.load(job / LOGITS), np.load(job / "onnx.npy")
        report = {
            "result": "converted",
            "images": len(theirs),
            "agreement_of_programs": agreement(program_logits, theirs),
            "correlation_of_programs": correlation(program_logits, theirs),
            "agreement_with_onnx": {
                "program": agreement(file_logits, program_logits),
                "vendor": agreement(file_logits, theirs),
            },
        }
    path = folder / REPORT
    path.write_text(json.dumps(report, indent=2) + "\n")
    return path
