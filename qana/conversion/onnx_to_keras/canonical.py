"""One spelling for each thing: exporters and opset versions write the same network in many ways.

Behind these passes a legal network holds only Conv, MaxPool, GlobalAveragePool, Concat, Add, and four
operations that ONNX does not have: `Dense` (a constant matrix, in x out, and a bias), `Bounded` (a clip to
two numbers), `Vector` (a map or vector as one long axis) and, until it is folded, `Affine` (a factor and a
summand per channel, of whatever origin). Whatever else is left, apart from a Pad that may still be folded,
has no exact counterpart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from qana.conversion.onnx_to_keras.graph import Graph, Node, has_input, text
from qana.conversion.onnx_to_keras.per_channel import arithmetic, batch_norm

Rewrite = Callable[[Graph, Node], None]
INFINITY = float("inf")


def canonicalize(graph: Graph) -> None:
    """Rewrite every node that has a plainer spelling; the others stay as they are."""
    for node in list(graph.nodes):
        rewrite = REWRITES.get(node.operation)
        if rewrite is not None:
            rewrite(graph, node)
    _merge_clips(graph)


def _drop(graph: Graph, node: Node) -> None:
    graph.remove(node)


def _dropout(graph: Graph, node: Node) -> None:
    training = graph.constant(node, 2)
    unknown = has_input(node, 2) and training is None
    if not unknown and not (training is not None and bool(training)):
        graph.remove(node)


def _cast(graph: Graph, node: Node) -> None:
    if node.attributes.get("to") == TensorProto.FLOAT:
        graph.remove(node)


def _reshape(graph: Graph, node: Node) -> None:
    """A reordering of axes that leaves the numbers of one image in their order, with one image in front."""
    before, after = graph.shapes.get(node.inputs[0]), graph.shapes.get(node.outputs[0])
    if before is None or after is None or after[0] != 1:
        return
    if node.operation == "Transpose":
        moved = [axis for axis in node.attributes.get("perm", []) if before[axis] > 1]
        if moved != sorted(moved) or not node.attributes.get("perm"):
            return
    if before == after:
        graph.remove(node)
    elif max(after) == int(np.prod(after)):  # one long axis: a vector, whatever axes of length 1 surround it
        node.become("Vector", node.inputs[:1])


def _global_mean(graph: Graph, node: Node) -> None:
    """ReduceMean over both axes of the map, by attribute up to opset 17 and by input since."""
    axes = node.attributes.get("axes")
    if axes is None and has_input(node, 1):
        constant = graph.constant(node, 1)
        axes = None if constant is None else constant.tolist()
    is_map = len(graph.shapes.get(node.inputs[0], ())) == 4
    if is_map and axes is not None and sorted(axis % 4 for axis in axes) == [2, 3]:
        node.become("GlobalAveragePool", node.inputs[:1])


def _average_pool(graph: Graph, node: Node) -> None:
    """An average over the whole map, or over single pixels, which is nothing."""
    shape = graph.shapes.get(node.inputs[0])
    size = tuple(node.attributes.get("kernel_shape", ()))
    padded = any(node.attributes.get("pads", ())) or text(node.attributes.get("auto_pad"), "NOTSET") not in (
        "NOTSET",
        "VALID",
    )
    if padded or shape is None or len(shape) != 4:
        return
    if size == (1, 1) and set(node.attributes.get("strides", (1, 1))) == {1}:
        graph.remove(node)
    elif size == shape[2:]:
        node.become("GlobalAveragePool", node.inputs)


def _relu(graph: Graph, node: Node) -> None:
    node.become("Bounded", node.inputs, low=0.0, high=INFINITY)


def _clip(graph: Graph, node: Node) -> None:
    """Bounds are attributes before opset 11, optional inputs since."""
    bounds = {}
    for index, (key, attribute, default) in enumerate(
        [("low", "min", -INFINITY), ("high", "max", INFINITY)], 1
    ):
        constant = graph.constant(node, index)
        if has_input(node, index) and (constant is None or constant.size != 1):
            return
        value = node.attributes.get(attribute, default) if constant is None else constant.reshape(())
        bounds[key] = float(value)
    node.become("Bounded", node.inputs[:1], **bounds)


def _min_or_max(graph: Graph, node: Node) -> None:
    """Min or Max with one number."""
    constants = [index for index in range(len(node.inputs)) if graph.constant(node, index) is not None]
    if len(node.inputs) != 2 or len(constants) != 1:
        return
    bound = graph.constants[node.inputs[constants[0]]]
    if bound.size == 1:
        limits = {"low": -INFINITY, "high": INFINITY}
        limits["high" if node.operation == "Min" else "low"] = float(bound.reshape(()))
        node.become("Bounded", [node.inputs[1 - constants[0]]], **limits)


def _merge_clips(graph: Graph) -> None:
    """ReLU and then a bound, as ReLU6 is often written, is one bounded ReLU."""
    for node in list(graph.nodes):
        before = graph.producer(node.inputs[0])
        if node.operation != "Bounded" or before is None or before.operation != "Bounded":
            continue
        if graph.only_reader(node.inputs[0]):
            low, high = node.attributes["low"], node.attributes["high"]
            inner = before.attributes
            node.attributes = {
                "low": min(max(inner["low"], low), high),
                "high": min(max(inner["high"], low), high),
            }
            node.inputs = before.inputs
            graph.nodes.remove(before)


def _sum(graph: Graph, node: Node) -> None:
    if len(node.inputs) == 1:
        graph.remove(node)
    elif len(node.inputs) == 2:
        node.become("Add", node.inputs)


def _concat(graph: Graph, node: Node) -> None:
    if len(node.inputs) == 1:
        graph.remove(node)


def _matmul(graph: Graph, node: Node) -> None:
    """A product with a constant matrix."""
    weight = graph.constant(node, 1)
    if weight is not None and weight.ndim == 2:
        node.become("Dense", node.inputs)


def _gemm(graph: Graph, node: Node) -> None:
    """Weights as (in, out), factors multiplied in."""
    weight, attributes = graph.constant(node, 1), node.attributes
    if weight is None or weight.ndim != 2 or attributes.get("transA", 0):
        return
    if attributes.get("transB", 0):
        weight = weight.T
    inputs = [node.inputs[0], node.inputs[1]]
    alpha, beta = attributes.get("alpha", 1.0), attributes.get("beta", 1.0)
    if weight is not graph.constants[inputs[1]] or alpha != 1.0:
        inputs[1] = graph.add_constant(f"{inputs[1]}~", _times(weight, alpha))
    if has_input(node, 2):
        bias = graph.constant(node, 2)
        if bias is None or bias.size not in (1, weight.shape[1]):
            return
        full = np.broadcast_to(bias.reshape(-1), (weight.shape[1],))
        inputs.append(graph.add_constant(f"{node.inputs[2]}~", _times(full, beta)))
    node.become("Dense", inputs)


def _times(values: NDArray[Any], factor: float) -> NDArray[Any]:
    return values if factor == 1.0 else (values.astype(np.float64) * factor).astype(values.dtype)


REWRITES: dict[str, Rewrite] = {
    "Add": arithmetic,
    "AveragePool": _average_pool,
    "BatchNormalization": batch_norm,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "Div": arithmetic,
    "Dropout": _dropout,
    "Flatten": _reshape,
    "Gemm": _gemm,
    "Identity": _drop,
    "MatMul": _matmul,
    "Max": _min_or_max,
    "Min": _min_or_max,
    "Mul": arithmetic,
    "ReduceMean": _global_mean,
    "Relu": _relu,
    "Reshape": _reshape,
    "Squeeze": _reshape,
    "Sub": arithmetic,
    "Sum": _sum,
    "Transpose": _reshape,
    "Unsqueeze": _reshape,
}
