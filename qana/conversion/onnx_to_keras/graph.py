"""An ONNX graph as the importer reads it: nodes in order, constants by name, attributes as Python values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper


@dataclass(frozen=True)
class Node:
    """One operation.

    Attributes:
        operation: ONNX operator, such as ``Conv``.
        name: of the node, or of its first output where the node has none.
        inputs: value names; an empty one is an optional input left out.
        outputs: value names.
        attributes: by name.
    """

    operation: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]


class Graph:
    """Nodes and constants of a model.

    Args:
        model: a checked ONNX model with one input (N, 3, H, W) and one output.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        graph = model.graph
        self.constants: dict[str, NDArray[Any]] = {
            tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer
        }
        self.nodes: list[Node] = []
        for proto in graph.node:
            node = _node(proto)
            if node.operation == "Constant":
                self.constants[node.outputs[0]] = node.attributes["value"]
            else:
                self.nodes.append(node)
        self.input, self.image_shape = _input(graph, self.constants)
        self.outputs = [output.name for output in graph.output]

    def consumers(self, value: str) -> list[Node]:
        """The nodes that read `value`."""
        return [node for node in self.nodes if value in node.inputs]

    def has_input(self, node: Node, index: int) -> bool:
        """Whether input `index` of `node` is there, constant or computed."""
        return index < len(node.inputs) and bool(node.inputs[index])

    def constant(self, node: Node, index: int) -> NDArray[Any] | None:
        """The constant at input `index` of `node`; None where the input is left out or computed."""
        return self.constants.get(node.inputs[index]) if self.has_input(node, index) else None


def _node(proto: onnx.NodeProto) -> Node:
    attributes = {attribute.name: _value(attribute) for attribute in proto.attribute}
    return Node(
        proto.op_type, proto.name or proto.output[0], tuple(proto.input), tuple(proto.output), attributes
    )


def _value(attribute: onnx.AttributeProto) -> Any:
    value = onnx.helper.get_attribute_value(attribute)
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _input(graph: onnx.GraphProto, constants: dict[str, NDArray[Any]]) -> tuple[str, tuple[int, int, int]]:
    value = next(value for value in graph.input if value.name not in constants)
    _, channels, height, width = (dim.dim_value for dim in value.type.tensor_type.shape.dim)
    return value.name, (height, width, channels)


def scalar(value: NDArray[Any] | None, default: float) -> float:
    """A one-element constant as a float, or `default` where it is missing."""
    return default if value is None else float(np.asarray(value).reshape(()))
