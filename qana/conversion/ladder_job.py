"""The child process that climbs from ONNX to Akida and lets the stages before Akida answer the test images.

Run as ``python -m qana.conversion.ladder_job JOB`` by `qana.conversion.ladder`; JOB is a folder with
``job.json``, ``images.npy``, ``samples.npy`` and ``model.onnx``. Results are files in the same folder, each
written as soon as it is known, so that a later crash does not take them along. The parent is told as soon as
``model.fbz`` is there: the program answers in a process of its own (`qana.conversion.program_job`) while the
quantized Keras network, the slowest stage, still does here.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from qana.conversion.acceptance.fault import refuse
from qana.conversion.acceptance.program_structure import require_coverage
from qana.conversion.acceptance.verdict import float_faults
from qana.conversion.child import report_to_parent
from qana.conversion.deploy import PlannedLayer
from qana.conversion.keras_to_akida import convert_keras, quantize_keras
from qana.conversion.onnx_to_keras import onnx_to_keras
from qana.conversion.stage_answers import Answers, Predict, Send

__all__ = ["climb", "require_coverage"]

# A call of a quantized Keras network costs 0.7 s whatever its batch (its weights are quantized anew), so
# batches are as large as memory allows: 256 images of 64x64 take 0.3 GB.
PIXELS_PER_CALL = 256 * 64 * 64


def climb(folder: Path, send: Send) -> None:
    """Convert and evaluate; see the module's description."""
    job = json.loads((folder / "job.json").read_text())
    images, samples = np.load(folder / "images.npy"), np.load(folder / "samples.npy")
    plan = [PlannedLayer(**entry) for entry in job["plan"]]
    generation, batch_size = job["generation"], job["batch_size"]
    answers = Answers(folder, images, job["classes"], send)

    answers.step("read ONNX")
    onnx_logits = answers.of("onnx", _onnx_predictor(folder / "model.onnx"), batch_size)
    answers.step("ONNX to Keras")
    model = onnx_to_keras(onnx.load(str(folder / "model.onnx")), generation=generation)
    model.save(folder / "model.h5", save_format="h5")
    keras_logits = answers.of("keras", model.predict_on_batch, batch_size)
    refuse(
        float_faults(onnx_logits, keras_logits, stages=("onnx", "keras")),
        "the Keras network is another one than the ONNX file",
    )
    answers.step("quantize Keras")
    quantized = quantize_keras(model, plan, samples, generation=generation)
    answers.step("Keras to Akida")
    program = convert_keras(quantized, generation=generation)
    require_coverage(program, plan)
    program.save(str(folder / "model.fbz"))
    send({"kind": "program"})
    answers.step("quantized Keras answers")
    # Called eagerly: a graph takes longer to trace (5 to 15 s per batch shape) than a test split to answer.
    per_call = max(1, PIXELS_PER_CALL // (images.shape[1] * images.shape[2]))
    answers.of("quantized_keras", lambda batch: quantized(batch, training=False), per_call)
    answers.step("done")


def _onnx_predictor(path: Path) -> Predict:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def predict(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels = np.ascontiguousarray(batch.transpose(0, 3, 1, 2), dtype=np.float32)
        logits: NDArray[np.float32] = session.run(None, {"pixels": pixels})[0]
        return logits

    return predict


if __name__ == "__main__":
    with report_to_parent() as send_message:
        climb(Path(sys.argv[1]), send_message)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # everything is on disk, and TensorFlow takes seconds to take itself apart
