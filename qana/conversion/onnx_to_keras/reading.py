"""Walk a canonical graph once: a planned layer for every node, or every reason why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from qana.conversion.onnx_to_keras.canonical import canonicalize
from qana.conversion.onnx_to_keras.fault import Fault
from qana.conversion.onnx_to_keras.first_transpose import drop_first_transpose
from qana.conversion.onnx_to_keras.fold_affine import fold_affine
from qana.conversion.onnx_to_keras.fold_constants import drop_unused
from qana.conversion.onnx_to_keras.fold_pads import fold_pads, resolve_auto_pad
from qana.conversion.onnx_to_keras.graph import Graph, Node, has_input
from qana.conversion.onnx_to_keras.layer import UNKNOWN, Layer, Value
from qana.conversion.onnx_to_keras.read_graph import read_graph


def simplified_graph(model: onnx.ModelProto) -> Graph:
    """The graph of a file, in one spelling, with everything folded that folds."""
    graph = read_graph(model)
    drop_unused(graph)
    if graph.channels_last:
        drop_first_transpose(graph)
    resolve_auto_pad(graph)
    canonicalize(graph)
    fold_pads(graph)
    fold_affine(graph)
    fold_pads(graph)  # a pad ahead of a factor meets its convolution only now
    return graph


class Reading:
    """Layers and faults found so far.

    Args:
        graph: simplified.

    Attributes:
        layers: in order; complete only while there are no faults.
        faults: everything that has no exact counterpart.
        values: what is known of each value that a planned layer gives.
        sources: values that are another one in Keras' layout, and which.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.layers: list[Layer] = []
        self.faults: list[Fault] = list(graph.faults)
        self.values: dict[str, Value] = {}
        self.sources: dict[str, str] = {}
        if graph.image_shape is not None:
            self.values[graph.input] = Value(graph.image_shape)

    def fault(self, node: Node, found: str, *, allowed: str, rewrite: str) -> None:
        """Note that `node` cannot be taken over."""
        self.faults.append(Fault(node.name, node.proto.op_type, node.scope, found, allowed, rewrite))

    def value(self, node: Node, index: int) -> Value | None:
        """What is known of a computed input; behind a fault, what ONNX knows; None where that is nothing."""
        name = node.inputs[index]
        return self.values.get(name) or self.shaped(name)

    def shaped(self, name: str) -> Value | None:
        """What ONNX knows of a value: a map or a vector, or None."""
        shape = self.graph.shapes.get(name, ())
        if len(shape) == 4:
            return Value((*shape[2:], shape[1]))
        return Value((shape[1],)) if len(shape) == 2 else None

    def hold_place(self, node: Node) -> None:
        """Plan something in place of a node that has no layer, so that its neighbours know each other."""
        inputs = tuple(self.source(name) for name in node.inputs if name and name not in self.graph.constants)
        before = tuple(self.values.get(name) or Value(()) for name in inputs)
        for output in node.outputs:
            if output and output not in self.values:
                after = self.shaped(output) or Value(())
                self.layers.append(Layer(UNKNOWN, node.layer, inputs, output, {}, (), before, after, node))

    def source(self, name: str) -> str:
        """The value that a layer reads where the graph reads `name`."""
        return self.sources.get(name, name)

    def weight(self, node: Node, index: int) -> NDArray[np.float32] | None:
        """A constant input; what is wrong with it is noted. None where it is computed."""
        array = self.graph.constant(node, index)
        allowed = "constant, finite float32 weights"
        if array is None:
            rewrite = "make the weights parameters of the network, not results of it"
            self.fault(node, "weights that are computed, not constant", allowed=allowed, rewrite=rewrite)
            return None
        name = node.inputs[index].rstrip("~")
        if array.dtype != np.float32:
            rewrite = "export the network in float32 (torch: network.float())"
            self.fault(node, f"weights {name} of type {array.dtype}", allowed=allowed, rewrite=rewrite)
        bad = int((~np.isfinite(array)).sum())
        if bad:
            found = f"weights that are not finite: {bad} of {array.size} in {name}"
            rewrite = "train again from before the loss diverged; such a network answers nothing"
            self.fault(node, found, allowed=allowed, rewrite=rewrite)
        return array

    def bias(self, node: Node) -> NDArray[np.float32] | None:
        """The constant third input; None where it is left out or computed."""
        return self.weight(node, 2) if has_input(node, 2) else None

    def add(
        self,
        node: Node,
        kind: str,
        arguments: dict[str, Any],
        after: Value,
        weights: Sequence[NDArray[np.float32]] = (),
        inputs: int = 1,
    ) -> None:
        """Plan the layer that computes the output of `node`."""
        names = tuple(self.source(name) for name in node.inputs[:inputs])
        before = tuple(self.values.get(name, after) for name in names)
        output = node.outputs[0]
        self.layers.append(
            Layer(kind, node.layer, names, output, arguments, tuple(weights), before, after, node)
        )
        self.values[output] = after

    def same(self, node: Node, value: Value) -> None:
        """Note that `node` changes nothing in Keras' layout; its readers read what it reads."""
        self.values[node.outputs[0]] = value
        self.sources[node.outputs[0]] = self.source(node.inputs[0])
