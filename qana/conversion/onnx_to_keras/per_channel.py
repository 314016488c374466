"""Factors and summands per channel, of whatever origin, become one operation: `Affine`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qana.conversion.onnx_to_keras.graph import Graph, Node


def batch_norm(graph: Graph, node: Node) -> None:
    """Batch normalization in evaluation mode with constant, finite parameters."""
    parameters = [graph.constant(node, index) for index in range(1, 5)]
    per_pixel = not node.attributes.get("spatial", 1)  # up to opset 8
    if per_pixel or node.attributes.get("training_mode", 0) or any(values is None for values in parameters):
        return
    if len(node.outputs) > 1 or not all(np.isfinite(values).all() for values in parameters):  # type: ignore[arg-type]
        return
    gamma, beta, mean, variance = (np.asarray(values, dtype=np.float64) for values in parameters)
    scale = gamma / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
    node.become("Affine", node.inputs[:1], scale=scale, shift=beta - mean * scale)


def arithmetic(graph: Graph, node: Node) -> None:
    """Add, Sub, Mul or Div with one number per channel, or one for all."""
    if len(node.inputs) != 2:
        return
    left, right = (_per_channel(graph, node, index) for index in range(2))
    if right is not None:
        scale, shift = {
            "Add": (np.ones(1), right),
            "Sub": (np.ones(1), -right),
            "Mul": (right, np.zeros(1)),
            "Div": (1.0 / right if right.all() else None, np.zeros(1)),
        }[node.operation]
        value = node.inputs[0]
    elif left is not None and node.operation != "Div":
        sign = -1.0 if node.operation == "Sub" else 1.0
        multiplies = node.operation == "Mul"
        scale, shift = (left, np.zeros(1)) if multiplies else (np.full(1, sign), left)
        value = node.inputs[1]
    else:
        return
    if scale is not None:
        node.become("Affine", [value], scale=scale, shift=shift)


def _per_channel(graph: Graph, node: Node, index: int) -> NDArray[np.float64] | None:
    """The float constant at `index` as (C,) or (1,); None where it is none, or differs over the map."""
    constant = graph.constant(node, index)
    if constant is None or constant.dtype != np.float32 or not np.isfinite(constant).all():
        return None
    shape = graph.shapes.get(node.inputs[1 - index])
    if constant.size == 1:
        return constant.reshape(1).astype(np.float64)
    if shape is None or len(shape) < 2 or constant.ndim > len(shape):
        return None
    aligned = constant.reshape((1,) * (len(shape) - constant.ndim) + constant.shape)
    if aligned.size == aligned.shape[1] == shape[1]:
        return aligned.reshape(-1).astype(np.float64)
    return None
