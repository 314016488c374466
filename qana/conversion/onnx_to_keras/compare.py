"""Is the Keras network the network of the file? Value by value, on the same images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper

from qana.conversion.onnx_to_keras.importer import Plan
from qana.errors import QanaError

if TYPE_CHECKING:
    import tf_keras as keras

# Float32 sums in another order: some 1e-6 of the largest value in the networks tried.
RELATIVE_TOLERANCE = 1e-4


def require_same_function(
    model: onnx.ModelProto, plan: Plan, network: keras.Model, pixels: NDArray[np.uint8]
) -> None:
    """Compare every value that both networks have, in order.

    Args:
        model: the file.
        plan: of `model`.
        network: built from `plan`.
        pixels: (N, H, W, C), a few images that differ.

    Raises:
        QanaError: they are different networks; names the first layer that parts.
    """
    import tf_keras as keras

    computed = {name for node in model.graph.node for name in node.output}
    layers = [layer for layer in plan.layers if layer.output in computed]
    outputs = [network.get_layer(layer.name).output for layer in layers]
    found = keras.Model(network.input, outputs)(pixels)
    expected = file_values(model, plan, [layer.output for layer in layers], pixels)
    for layer, ours in zip(layers, found if len(layers) > 1 else [found], strict=True):
        theirs = _as_keras(expected[layer.output])
        difference = _largest_difference(theirs, np.asarray(ours))
        if not difference <= RELATIVE_TOLERANCE:
            raise _another_network(layer.name, layer.output, difference)


def file_values(
    model: onnx.ModelProto, plan: Plan, names: list[str], pixels: NDArray[np.uint8]
) -> dict[str, NDArray[Any]]:
    """Values of the file as ONNX Runtime computes them without rewriting anything, image by image."""
    extended = onnx.ModelProto()
    extended.CopyFrom(model)
    known = {output.name for output in model.graph.output}
    extra = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names if name not in known
    ]
    extended.graph.output.extend(extra)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        extended.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    answers = [
        session.run(names, {plan.input: as_input(plan, session, image[np.newaxis])}) for image in pixels
    ]
    return {name: np.concatenate(values) for name, *values in zip(names, *answers, strict=True)}


def as_input(plan: Plan, session: onnxruntime.InferenceSession, pixels: NDArray[np.uint8]) -> NDArray[Any]:
    """Pixels (N, H, W, C) in the layout and type that the file takes."""
    turned = pixels if plan.channels_last else pixels.transpose(0, 3, 1, 2)
    is_bytes = session.get_inputs()[0].type == "tensor(uint8)"
    return np.ascontiguousarray(turned, dtype=np.uint8 if is_bytes else np.float32)


def _as_keras(values: NDArray[Any]) -> NDArray[Any]:
    return values.transpose(0, 2, 3, 1) if values.ndim == 4 else values


def _largest_difference(theirs: NDArray[Any], ours: NDArray[Any]) -> float:
    """Relative to the largest value; infinite where the numbers or their count are not comparable."""
    if theirs.size != ours.size or not np.isfinite(theirs).all():
        return float("inf")
    if (theirs.ndim == 4 and ours.ndim == 2) or theirs.shape != ours.shape:
        theirs = theirs.reshape(ours.shape)
    largest = float(np.abs(theirs).max())
    return float(np.abs(theirs - ours).max()) / largest if largest > 0 else float(np.abs(ours).max())


def _another_network(layer: str, value: str, difference: float) -> QanaError:
    return QanaError(
        f"the Keras network is not the one in the ONNX file: layer {layer} (value {value}) differs by "
        f"{difference:.2e} of its largest value",
        where="onnx",
        allowed=f"a difference of at most {RELATIVE_TOLERANCE:g}, from sums in another order",
        fix="report the file: the importer is meant to refuse what it cannot rebuild exactly",
    )
