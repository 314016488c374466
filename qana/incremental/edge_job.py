"""The child process that reads features from a program, and lets the SDK learn.

Run as ``python -m qana.incremental.edge_job JOB``; JOB is a folder with ``job.json``, which names the
operation and its files. See `qana.incremental.edge_program` for the other side.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import akida
import numpy as np
from numpy.typing import NDArray

from qana.conversion.child import report_to_parent
from qana.conversion.device import virtual_device
from qana.errors import QanaError

LAYER = "edge_learning"


def features(job: dict[str, Any], folder: Path) -> None:
    """What reaches the last layer of a program, (N, K) uint8, for each file of images."""
    program = akida.Model(job["program"])
    program.pop_layer()
    for side in range(job["sides"]):
        images = np.load(folder / f"images_{side}.npy", mmap_mode="r")
        parts = [
            program.forward(np.ascontiguousarray(images[first : first + job["batch_size"]]))
            for first in range(0, len(images), job["batch_size"])
        ]
        np.save(folder / f"features_{side}.npy", _flat(np.concatenate(parts)))


def create(job: dict[str, Any], folder: Path) -> None:
    """Put a learning layer in the place of the last layer, with the weights that were drawn for it."""
    program = akida.Model(job["program"])
    program.pop_layer()
    weights = np.load(folder / "weights.npy")
    program.add(akida.FullyConnected(units=len(weights), name=LAYER, weights_bits=1, activation=False))
    program.compile(
        akida.AkidaUnsupervised(
            num_weights=job["num_weights"],
            num_classes=job["classes"],
            initial_plasticity=job["initial_plasticity"],
            learning_competition=job["learning_competition"],
            min_plasticity=job["min_plasticity"],
            plasticity_decay=job["plasticity_decay"],
        )
    )
    _set_weights(program, weights)
    _require_one_processor(program, job["device"])
    program.save(job["out"])


def learn(job: dict[str, Any], folder: Path) -> None:
    """Load a version, add classes, show it images, and save the next version."""
    program = akida.Model(job["program"])
    if job["added_classes"]:
        program.add_classes(job["added_classes"])
        weights = _weights(program)
        added = np.load(folder / "weights.npy")
        weights[-len(added) :] = added
        _set_weights(program, weights)
        _require_one_processor(program, job["device"])
    images, slots = np.load(folder / "images.npy"), np.load(folder / "slots.npy")
    program.fit(images, slots.astype(np.int32))
    program.save(job["out"])
    _save_state(program, folder)


def predict(job: dict[str, Any], folder: Path) -> None:
    """Potentials (N, U) of a version on images, into ``potentials.npy``, and its state."""
    program = akida.Model(job["program"])
    np.save(folder / "potentials.npy", _flat(program.forward(np.load(folder / "images.npy"))))
    _save_state(program, folder)


OPERATIONS = {"features": features, "create": create, "learn": learn, "predict": predict}


def _flat(values: NDArray[Any]) -> NDArray[Any]:
    """(N, 1, 1, K) as (N, K)."""
    if values.shape[1:3] != (1, 1):
        raise ValueError(f"the last layer sees maps of {values.shape[1:3]} positions, not one vector")
    return values.reshape(len(values), -1)


def _weights(program: akida.Model) -> NDArray[np.int8]:
    """(U, K)."""
    found = program.layers[-1].get_variable("weights")
    return np.array(found.reshape(-1, found.shape[-1]).T)


def _set_weights(program: akida.Model, weights: NDArray[Any]) -> None:
    units, inputs = weights.shape
    values = np.ascontiguousarray(weights.T.reshape(1, 1, inputs, units).astype(np.int8))
    program.layers[-1].set_variable("weights", values)


def _save_state(program: akida.Model, folder: Path) -> None:
    layer = program.layers[-1]
    np.savez(
        folder / "state.npz",
        weights=_weights(program).astype(np.uint8),
        thresholds=layer.get_variable("threshold_learning"),
        swaps=layer.get_variable("thswap"),
    )


def _require_one_processor(program: akida.Model, device: str) -> None:
    """Refuse a layer that the device splits: a part could not see which neuron won.

    A copy is mapped; "Learning is not supported for layers mapped on more than 1 NP" (akida 2.19.3).
    """
    copy = akida.Model(layers=program.layers)
    try:
        copy.map(virtual_device(device, None, copy), hw_only=True)
    except (RuntimeError, ValueError) as error:
        raise _too_large(program, device, " ".join(str(error).split())) from error
    processors = len(copy.layers[-1].mapping.nps)
    if processors > 1:
        raise _too_large(program, device, f"it takes {processors} neural processors")


def _too_large(program: akida.Model, device: str, reason: str) -> QanaError:
    units = program.layers[-1].output_dims[-1]
    return QanaError(
        f"{device} cannot learn in a layer of {units} neurons: {reason}",
        where=f"incremental.learner.neurons_per_class, conversion.device = {device}",
        allowed="a learning layer on one neural processor",
        fix="take fewer neurons per class, or fewer features (backbone.features)",
    )


def main(folder: Path) -> None:
    """Do what ``job.json`` asks for."""
    job = json.loads((folder / "job.json").read_text())
    OPERATIONS[job["operation"]](job, folder)


if __name__ == "__main__":
    with report_to_parent():
        main(Path(sys.argv[1]))
