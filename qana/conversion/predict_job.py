"""The child process in which a program answers photographs.

Run as ``python -m qana.conversion.predict_job JOB`` by `qana.conversion.predict`. Reads ``job.json`` and
``images.npy`` in the folder JOB, leaves ``logits.npy``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import akida
import numpy as np

from qana.conversion.child import Message, report_to_parent
from qana.conversion.stage_answers import Answers, Send
from qana.errors import QanaError


def answer(folder: Path, send: Send) -> None:
    """Ask the program about every image; see the module's description."""
    job = json.loads((folder / "job.json").read_text())
    images = np.load(folder / "images.npy")
    program = _load(job["program"])
    expected = [int(size) for size in program.layers[0].input_dims]
    if list(images.shape[1:]) != expected:
        raise QanaError(
            f"the program takes images of {expected}, its model.json says {list(images.shape[1:])}",
            where=job["program"],
            allowed="a program with the model.json that its run left beside it",
            fix="put the two files of one run together",
        )
    answers = Answers(folder, images, job["classes"], _only_batches(send))
    answers.of("logits", program.predict, job["batch_size"])


def _load(path: str) -> akida.Model:
    try:
        return akida.Model(path)
    except (RuntimeError, ValueError, OSError) as error:
        raise QanaError(
            f"the SDK cannot read the program: {' '.join(str(error).split())}",
            where=path,
            allowed=f"a program of akida {akida.__version__}",
            fix="convert the run again with the SDK that is installed",
        ) from error


def _only_batches(send: Send) -> Send:
    def filtered(message: Message) -> None:
        if message["kind"] == "evaluated":
            send(message)

    return filtered


if __name__ == "__main__":
    with report_to_parent() as send_message:
        answer(Path(sys.argv[1]), send_message)
