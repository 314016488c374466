"""An ONNX graph that can be rewritten: nodes in order, constants and shapes by value name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from qana.conversion.onnx_to_keras.fault import Fault

REWRITTEN = "~"  # ends the names of values that the file does not have, or holds with other numbers


@dataclass
class Node:
    """One operation.

    Attributes:
        operation: ONNX operator, such as ``Conv``.
        name: of the node, or of its first output where the node has none.
        scope: path of the torch module it came from; empty where the file does not say.
        layer: name for the Keras layer that it becomes.
        inputs: value names; an empty one is an optional input left out.
        outputs: value names.
        attributes: by name.
        proto: as it stands in the file.
    """

    operation: str
    name: str
    scope: str
    layer: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]
    proto: onnx.NodeProto = field(repr=False)

    def become(self, operation: str, inputs: list[str], **attributes: Any) -> None:
        """Turn into another operation with the same output, name and origin."""
        self.operation, self.inputs, self.attributes = operation, inputs, attributes


@dataclass
class Graph:
    """Nodes and constants of one network with one input.

    Attributes:
        nodes: in an order in which each follows what it reads.
        constants: by value name.
        shapes: ONNX shapes at batch 1 by value name; values of unknown shape are missing.
        opset: version of the ONNX operators.
        input: name of the image input.
        image_shape: (H, W, C); None where the file leaves it open.
        channels_last: whether the file takes (N, H, W, C) instead of (N, C, H, W).
        outputs: value names.
        faults: what is wrong with the file as a whole.
        input_offset: (C,), added to the pixels ahead of the first convolution; None for nothing.
    """

    nodes: list[Node]
    constants: dict[str, NDArray[Any]]
    shapes: dict[str, tuple[int, ...]]
    opset: int
    input: str
    image_shape: tuple[int, int, int] | None
    channels_last: bool
    outputs: list[str]
    faults: list[Fault]
    input_offset: NDArray[np.float32] | None = None

    def producer(self, value: str) -> Node | None:
        """The node that computes `value`; None for the input, constants and unknown names."""
        return next((node for node in self.nodes if value in node.outputs), None)

    def readers(self, value: str) -> list[Node]:
        """The nodes that read `value`."""
        return [node for node in self.nodes if value in node.inputs]

    def only_reader(self, value: str) -> Node | None:
        """The node that alone reads `value`; None where there are others, or where it is an output."""
        readers = self.readers(value)
        return readers[0] if len(readers) == 1 and value not in self.outputs else None

    def constant(self, node: Node, index: int) -> NDArray[Any] | None:
        """The constant at input `index` of `node`; None where the input is left out or computed."""
        return self.constants.get(node.inputs[index]) if has_input(node, index) else None

    def add_constant(self, name: str, value: NDArray[Any]) -> str:
        """Keep a new constant and give the name under which it is found."""
        while name in self.constants:
            name += REWRITTEN
        self.constants[name] = value
        return name

    def remove(self, node: Node) -> None:
        """Take a node out; whoever read its output reads its first input."""
        self.nodes.remove(node)
        before, after = node.outputs[0], node.inputs[0]
        self.outputs = [after if value == before else value for value in self.outputs]
        for reader in self.nodes:
            reader.inputs = [after if value == before else value for value in reader.inputs]

    def rename(self, before: str, after: str) -> None:
        """Give a computed value another name."""
        self.outputs = [after if value == before else value for value in self.outputs]
        for node in self.nodes:
            node.inputs = [after if value == before else value for value in node.inputs]
            node.outputs = [after if value == before else value for value in node.outputs]
        if before in self.shapes:
            self.shapes[after] = self.shapes[before]

    def channels(self, value: str) -> int | None:
        """Channels of a value, on axis 1; None where its shape is unknown."""
        shape = self.shapes.get(value)
        return shape[1] if shape is not None and len(shape) > 1 else None


def has_input(node: Node, index: int) -> bool:
    """Whether input `index` of `node` is there, constant or computed."""
    return index < len(node.inputs) and bool(node.inputs[index])


def text(value: Any, default: str) -> str:
    """A string attribute, which ONNX keeps as bytes."""
    if value is None:
        return default
    return value.decode() if isinstance(value, bytes) else str(value)
