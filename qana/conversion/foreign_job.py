"""The child process that takes a float ONNX file from elsewhere to an Akida program.

Run as ``python -m qana.conversion.foreign_job JOB`` by `qana.conversion.foreign`; JOB is a folder with
``job.json``, ``images.npy``, ``samples.npy`` and ``model.onnx``. Results are files in the same folder, each
written as soon as it is known, so that a later crash does not take them along. The program answers in a
process of its own (`qana.conversion.program_job`).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from qana.conversion.acceptance.fault import refuse
from qana.conversion.acceptance.verdict import float_faults
from qana.conversion.child import report_to_parent
from qana.conversion.keras_to_akida import convert_keras
from qana.conversion.onnx_to_keras.compare import as_input, require_same_function
from qana.conversion.onnx_to_keras.importer import Plan, build_keras, plan_layers
from qana.conversion.post_training import quantize_after_training
from qana.conversion.quantized_codes import largest_codes, quantized_codes
from qana.conversion.stage_answers import Answers, Predict, Send

# A call of a quantized Keras network costs as much as some 200 images of 64x64, whatever its batch.
PIXELS_PER_CALL = 256 * 64 * 64


def climb(folder: Path, send: Send) -> None:
    """Convert and evaluate; see the module's description."""
    job = json.loads((folder / "job.json").read_text())
    images, samples = np.load(folder / "images.npy"), np.load(folder / "samples.npy")
    generation, batch_size = job["generation"], job["batch_size"]
    compared = images[: job["compared_images"]]
    answers = Answers(folder, images, job["classes"], send)

    answers.step("read ONNX")
    file = onnx.load(str(folder / "model.onnx"))
    plan = plan_layers(file, generation=generation)
    onnx_logits = answers.of("onnx", _onnx_predictor(folder / "model.onnx", plan), batch_size)
    answers.step("ONNX to Keras")
    model = build_keras(plan)
    model.save(folder / "model.h5", save_format="h5")
    require_same_function(file, plan, model, compared)
    keras_logits = answers.of("keras", model.predict_on_batch, batch_size)
    refuse(
        float_faults(onnx_logits, keras_logits, stages=("onnx", "keras")),
        "the Keras network is another one than the ONNX file",
    )
    answers.step("quantize Keras")
    quantized = quantize_after_training(
        model,
        plan.layers,
        samples,
        generation=generation,
        weight_bits=job["weight_bits"],
        activation_bits=job["activation_bits"],
        batch_size=batch_size,
    )
    answers.step("Keras to Akida")
    program = convert_keras(quantized, generation=generation)
    program.save(str(folder / "model.fbz"))
    answers.step("quantized Keras answers")
    # Called eagerly: a graph takes longer to trace (5 to 15 s per batch shape) than a test split to answer.
    per_call = max(1, PIXELS_PER_CALL // (images.shape[1] * images.shape[2]))
    answers.of("quantized_keras", lambda batch: quantized(batch, training=False), per_call)
    names = [layer.name for layer in program.layers]
    np.savez(folder / "keras_codes.npz", **quantized_codes(quantized, names, compared))
    (folder / "largest_codes.json").write_text(json.dumps(largest_codes(quantized, names)))
    answers.step("done")


def _onnx_predictor(path: Path, plan: Plan) -> Predict:
    """ONNX Runtime, image by image: files may be written for a batch of one."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def predict(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        images = [as_input(plan, session, image[np.newaxis]) for image in batch]
        return np.concatenate([session.run(None, {plan.input: image})[0] for image in images])

    return predict


if __name__ == "__main__":
    with report_to_parent() as send_message:
        climb(Path(sys.argv[1]), send_message)
