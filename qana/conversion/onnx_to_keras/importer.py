"""Walk an ONNX graph once and build the same network from native Keras layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import tf_keras as keras
from numpy.typing import NDArray

from qana.conversion.onnx_to_keras.graph import Graph, Node
from qana.conversion.onnx_to_keras.operations import (
    OPERATIONS,
    UnsupportedNodeError,
    separable_convolution,
)
from qana.errors import QanaError, listed


class Importer:
    """The state of one import.

    Attributes:
        graph: what is read.
        weights: layer name to its arrays, in Keras' order.
    """

    def __init__(self, graph: Graph, *, generation: int) -> None:
        self.graph = graph
        self.generation = generation
        self.weights: dict[str, list[NDArray[Any]]] = {}
        self._values: dict[str, Any] = {}
        self._fused: set[str] = set()

    def value(self, name: str) -> Any:
        """The Keras value of an ONNX value."""
        if name not in self._values:
            raise UnsupportedNodeError(f"{name}: a constant where a computed value is expected")
        return self._values[name]

    def weight(self, node: Node, index: int) -> NDArray[Any]:
        """A constant input that has to be there and be finite."""
        array = self.graph.constant(node, index)
        if array is None:
            raise UnsupportedNodeError(
                f"{node.name} ({node.operation}): weights that are computed, not constant"
            )
        if not np.isfinite(array).all():
            raise UnsupportedNodeError(f"{node.name} ({node.operation}): weights that are not finite")
        return array

    def bias(self, node: Node) -> NDArray[Any] | None:
        """The constant third input of a Conv or Gemm; None where it is left out."""
        return self.weight(node, 2) if self.graph.has_input(node, 2) else None

    def name(self, node: Node) -> str:
        """A Keras layer name: from the weights' path where there is one, else from the node's name."""
        if node.operation in ("Conv", "Gemm"):
            return layer_name(node.inputs[1])
        return "layer" + node.name.replace("/", "_").replace(".", "_").replace(":", "_").lower()

    def build(self) -> keras.Model:
        """The whole network, weights set.

        Raises:
            UnsupportedNodeError: a node that has no exact counterpart.
        """
        pixels = keras.Input(self.graph.image_shape, dtype="uint8", name="pixels")
        # A factor of 1 is how quantizeml wants 8-bit pixels handed to a float model.
        self._values[self.graph.input] = keras.layers.Rescaling(1.0, name="to_float")(pixels)
        for node in self.graph.nodes:
            self._import(node)
        model = keras.Model(pixels, self.value(self.graph.outputs[0]))
        for name, arrays in self.weights.items():
            model.get_layer(name).set_weights(arrays)
        return model

    def _import(self, node: Node) -> None:
        if node.name in self._fused:
            return
        pointwise = self._pointwise_behind(node) if self.generation == 1 else None
        if pointwise is not None:
            self._values[pointwise.outputs[0]] = separable_convolution(self, node, pointwise)
            self._fused.add(pointwise.name)
        else:
            self._values[node.outputs[0]] = OPERATIONS[node.operation](self, node)

    def _pointwise_behind(self, node: Node) -> Node | None:
        """The 1x1 Conv that a depthwise Conv without bias can be fused with."""
        weight = self.graph.constant(node, 1)
        if node.operation != "Conv" or weight is None or self.graph.has_input(node, 2):
            return None
        consumers = self.graph.consumers(node.outputs[0])
        if node.attributes.get("group", 1) != weight.shape[0] or len(consumers) != 1:
            return None
        point = self.graph.constant(consumers[0], 1)
        is_pointwise = (
            consumers[0].operation == "Conv"
            and point is not None
            and point.shape[2:] == (1, 1)
            and consumers[0].attributes.get("group", 1) == 1
            and all(stride == 1 for stride in consumers[0].attributes.get("strides", (1, 1)))
        )
        return consumers[0] if is_pointwise else None


def layer_name(parameter: str) -> str:
    """The layer that a parameter path such as ``3.primary.conv.weight`` belongs to: ``layer_3_primary``."""
    path = parameter.rsplit(".", 1)[0].removesuffix(".conv")
    return "layer_" + path.replace(".", "_").replace("/", "_").replace(":", "_")


def onnx_to_keras(model: onnx.ModelProto, *, generation: int) -> keras.Model:
    """Rebuild an ONNX network from native Keras layers.

    Args:
        model: checked model, one input (N, 3, H, W) of pixels 0 to 255, one output (N, classes).
        generation: Akida generation; 1 fuses depthwise and pointwise convolutions.

    Returns:
        A float Keras model, uint8 (N, H, W, 3) to (N, classes).

    Raises:
        QanaError: operations without an exact counterpart, all named at once.
    """
    graph = Graph(model)
    faults = [f"{node.name} ({node.operation})" for node in graph.nodes if node.operation not in OPERATIONS]
    if len(graph.outputs) != 1:
        faults.append(f"{len(graph.outputs)} outputs")
    if faults:
        raise _refusal(f"the network cannot be rebuilt in Keras: {listed(faults)}")
    try:
        return Importer(graph, generation=generation).build()
    except UnsupportedNodeError as error:
        raise _refusal(f"the network cannot be rebuilt in Keras: {error}") from error


def _refusal(what: str) -> QanaError:
    return QanaError(
        what,
        where="backbone",
        allowed=f"one output and the operations {', '.join(sorted(OPERATIONS))}",
        fix="build the network from the units in qana.backbone.unit",
    )
