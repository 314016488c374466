"""The child process that converts and maps an untrained network, to see whether the SDK takes it.

Run as ``python -m qana.conversion.dry_job JOB`` by `qana.conversion.dry_run`; JOB is a folder with
``job.json``, ``images.npy`` and ``model.onnx``. Leaves ``layers.json``, ``weights.npz``, ``codes.npz`` and
``akida.npy`` of the program, and what `qana.conversion.map_job` leaves. One process for all: each more would
import the SDK or torch again, which takes longer than what it does.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import akida
import numpy as np
import onnx
from numpy.typing import NDArray

from qana.conversion.acceptance.program_structure import require_coverage
from qana.conversion.akida_layers import describe_layer, layer_outputs, program_weights
from qana.conversion.child import Message, report_to_parent
from qana.conversion.deploy import PlannedLayer
from qana.conversion.keras_to_akida import convert_keras, quantize_keras
from qana.conversion.map_job import map_program
from qana.conversion.onnx_to_keras import onnx_to_keras


def convert(folder: Path, send: Callable[[Message], None]) -> None:
    """Convert without evaluating every stage; see the module's description."""
    send({"kind": "step"})
    job = json.loads((folder / "job.json").read_text())
    images, generation = np.load(folder / "images.npy"), job["generation"]
    plan = [PlannedLayer(**entry) for entry in job["plan"]]
    model = onnx_to_keras(onnx.load(str(folder / "model.onnx")), generation=generation)
    send({"kind": "step"})
    quantized = quantize_keras(model, plan, images, generation=generation)
    send({"kind": "step"})
    program = convert_keras(quantized, generation=generation)
    require_coverage(program, plan)
    program.save(str(folder / "model.fbz"))
    send({"kind": "step"})
    _write_answers(folder, program, images)
    send({"kind": "step"})
    map_program(folder)
    send({"kind": "step"})


def _write_answers(folder: Path, program: akida.Model, images: NDArray[np.uint8]) -> None:
    (folder / "layers.json").write_text(json.dumps([describe_layer(layer) for layer in program.layers]))
    np.savez(folder / "weights.npz", **program_weights(program))
    np.savez(folder / "codes.npz", **layer_outputs(program, images))
    np.save(folder / "akida.npy", np.asarray(program.predict(images), np.float32).reshape(len(images), -1))


if __name__ == "__main__":
    with report_to_parent() as send_message:
        convert(Path(sys.argv[1]), send_message)
