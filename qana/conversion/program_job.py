"""The child process in which the Akida program answers the test images, on every core.

Run as ``python -m qana.conversion.program_job JOB`` by `qana.conversion.ladder` as soon as ``model.fbz`` is
in the folder JOB. Leaves ``akida.npy``, and of the first images ``codes.npz``, beside ``layers.json`` and
``weights.npz``. Imports neither TensorFlow nor torch, so that its workers are small and start at once.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import akida
import numpy as np
from numpy.typing import NDArray

from qana.conversion.akida_layers import describe_layer, layer_outputs, program_weights
from qana.conversion.child import report_to_parent
from qana.conversion.stage_answers import Answers, Send

BATCHES_PER_WORKER = 4  # fewer do not pay for the second that a worker takes to start

_loaded: dict[str, akida.Model] = {}  # one program per process


def answer(folder: Path, send: Send) -> None:
    """Evaluate and describe the program; see the module's description."""
    job = json.loads((folder / "job.json").read_text())
    images = np.load(folder / "images.npy")
    path = str(folder / "model.fbz")
    answers = Answers(folder, images, job["classes"], send)
    answers.step("describe layers")
    program = akida.Model(path)
    descriptions = [describe_layer(layer) for layer in program.layers]
    (folder / "layers.json").write_text(json.dumps(descriptions))
    np.savez(folder / "weights.npz", **program_weights(program))
    answers.step("Akida answers")
    answers.collect("akida", _predictions(path, answers.batches(job["batch_size"])))
    answers.step("outputs of every layer")
    np.savez(folder / "codes.npz", **layer_outputs(program, images[: job["compared_images"]]))
    answers.step("done")


def _predictions(path: str, batches: list[NDArray[np.uint8]]) -> Iterator[NDArray[Any]]:
    """What the program at `path` predicts, in order; a process per core, as a program keeps its own busy."""
    workers = min(_cores(), len(batches) // BATCHES_PER_WORKER)
    if workers < 2:
        yield from (_predict(path, batch) for batch in batches)
        return
    # Its end by a signal is an error here; that of a multiprocessing.Pool would be waited for forever.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_predict, [path] * len(batches), batches)


def _predict(path: str, batch: NDArray[np.uint8]) -> NDArray[Any]:
    if path not in _loaded:
        _loaded[path] = akida.Model(path)
    predictions: NDArray[Any] = _loaded[path].predict(batch)
    return predictions


def _cores() -> int:
    return len(os.sched_getaffinity(0))


if __name__ == "__main__":
    with report_to_parent() as send_message:
        answer(Path(sys.argv[1]), send_message)
