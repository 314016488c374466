"""The child process that climbs from ONNX to Akida and lets every stage answer the same test images.

Run as ``python -m qana.conversion.ladder_job JOB`` by `qana.conversion.target`; JOB is a folder with
``job.json``, ``images.npy``, ``samples.npy`` and ``model.onnx``. Results are files in the same folder, each
written as soon as it is known, so that a later crash does not take them along.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import akida
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from qana.conversion.akida_layers import describe_layer, layer_outputs
from qana.conversion.child import Message, report_to_parent
from qana.conversion.deploy import PlannedLayer
from qana.conversion.keras_to_akida import convert_keras, quantize_keras
from qana.conversion.onnx_to_keras import onnx_to_keras
from qana.errors import QanaError, listed

Send = Callable[[Message], None]
Predict = Callable[[NDArray[np.uint8]], NDArray[Any]]


def climb(folder: Path, send: Send) -> None:
    """Convert and evaluate; see the module's description."""
    job = json.loads((folder / "job.json").read_text())
    images, samples = np.load(folder / "images.npy"), np.load(folder / "samples.npy")
    plan = [PlannedLayer(**entry) for entry in job["plan"]]
    generation, batch_size = job["generation"], job["batch_size"]

    def stage(name: str, predict: Predict) -> None:
        np.save(folder / f"{name}.npy", _answers(name, predict, images, batch_size, send))

    send({"kind": "step", "name": "read ONNX"})
    stage("onnx", _onnx_predictor(folder / "model.onnx"))
    send({"kind": "step", "name": "ONNX to Keras"})
    model = onnx_to_keras(onnx.load(str(folder / "model.onnx")), generation=generation)
    model.save(folder / "model.h5", save_format="h5")
    stage("keras", lambda batch: model.predict_on_batch(batch))
    send({"kind": "step", "name": "quantize Keras"})
    quantized = quantize_keras(model, plan, samples, generation=generation)
    # Called eagerly: a graph takes longer to trace (5 to 15 s per batch shape) than a test split to answer.
    stage("quantized_keras", lambda batch: quantized(batch, training=False))
    send({"kind": "step", "name": "Keras to Akida"})
    program = convert_keras(quantized, generation=generation)
    require_coverage(program, plan)
    program.save(str(folder / "model.fbz"))
    stage("akida", program.predict)
    send({"kind": "step", "name": "compare layers"})
    _save_layers(folder, images[: job["compared_images"]])


def _onnx_predictor(path: Path) -> Predict:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def predict(batch: NDArray[np.uint8]) -> NDArray[Any]:
        pixels = np.ascontiguousarray(batch.transpose(0, 3, 1, 2), dtype=np.float32)
        return session.run(None, {"pixels": pixels})[0]

    return predict


def _answers(
    name: str, predict: Predict, images: NDArray[np.uint8], batch_size: int, send: Send
) -> NDArray[np.float32]:
    answers = []
    for first in range(0, len(images), batch_size):
        batch = images[first : first + batch_size]
        answers.append(np.asarray(predict(batch), dtype=np.float32).reshape(len(batch), -1))
        send({"kind": "evaluated", "stage": name, "images": len(batch)})
    return np.concatenate(answers)


def require_coverage(program: akida.Model, plan: list[PlannedLayer]) -> None:
    """Refuse a program without every trained layer; the converter may have left some out.

    Raises:
        QanaError: names the missing layers by their place in the torch network.
    """
    present = {layer.name for layer in program.layers}
    missing = [entry.module for entry in plan if entry.name not in present]
    if missing:
        raise QanaError(
            f"the converter left out {len(missing)} of {len(plan)} trained layers: {listed(missing)}",
            where="conversion.name",
            allowed="a program that holds every layer with weights",
            fix="change the first of these layers; what follows it was cut off",
        )


def _save_layers(folder: Path, images: NDArray[np.uint8]) -> None:
    program = akida.Model(str(folder / "model.fbz"))
    descriptions = [describe_layer(layer) for layer in program.layers]
    (folder / "layers.json").write_text(json.dumps(descriptions))
    np.savez(folder / "codes.npz", **layer_outputs(program, images))


if __name__ == "__main__":
    with report_to_parent() as send_message:
        climb(Path(sys.argv[1]), send_message)
