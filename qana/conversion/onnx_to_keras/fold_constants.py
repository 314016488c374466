"""Compute once what does not depend on the image: shapes, and arithmetic on constants."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, ValueInfoProto, helper
from onnx.reference import ReferenceEvaluator

from qana.conversion.onnx_to_keras.graph import Graph, Node

RANDOM = (
    "RandomNormal",
    "RandomUniform",
    "RandomNormalLike",
    "RandomUniformLike",
    "Bernoulli",
    "Multinomial",
)
SUBGRAPHS = (AttributeProto.GRAPH, AttributeProto.GRAPHS)


def fold_constants(graph: Graph) -> set[str]:
    """Replace every node whose output is the same for all images by that output.

    Returns:
        Names of the new constants.
    """
    folded: set[str] = set()
    for node in list(graph.nodes):
        values = _shape(graph, node) if node.operation == "Shape" else _constant(graph, node)
        if values is not None:
            graph.constants.update(zip(node.outputs, values, strict=True))
            graph.nodes.remove(node)
            folded.update(name for name in node.outputs if name)
    return folded


def drop_unused(graph: Graph) -> None:
    """Take out nodes that no output depends on."""
    needed, kept = set(graph.outputs), []
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs):
            needed.update(node.inputs)
            kept.append(node)
    graph.nodes = kept[::-1]


def _shape(graph: Graph, node: Node) -> list[NDArray[Any]] | None:
    shape = graph.shapes.get(node.inputs[0])
    if shape is None:
        return None
    part = shape[node.attributes.get("start", 0) : node.attributes.get("end", len(shape))]
    return [np.asarray(part, dtype=np.int64)]


def _constant(graph: Graph, node: Node) -> list[NDArray[Any]] | None:
    inputs = [name for name in node.inputs if name]
    known = bool(inputs) and all(name in graph.constants for name in inputs)
    nested = any(attribute.type in SUBGRAPHS for attribute in node.proto.attribute)
    if not known or nested or "." in node.operation or node.operation in RANDOM:
        return None
    proto = helper.make_graph(
        [node.proto],
        "constant",
        [ValueInfoProto(name=name) for name in dict.fromkeys(inputs)],
        [ValueInfoProto(name=name) for name in node.outputs],
    )
    feeds = {name: graph.constants[name] for name in inputs}
    return [np.asarray(value) for value in ReferenceEvaluator(proto, {"": graph.opset}).run(None, feeds)]
