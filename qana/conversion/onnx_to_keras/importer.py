"""From an ONNX network to the same network of native Keras layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from numpy.typing import NDArray

from qana.conversion.onnx_to_keras.fault import Fault
from qana.conversion.onnx_to_keras.layer import UNKNOWN, Layer
from qana.conversion.onnx_to_keras.operations import SUPPORTED, read_layers
from qana.conversion.onnx_to_keras.reading import Reading, simplified_graph
from qana.conversion.onnx_to_keras.separable import fuse_separable
from qana.errors import QanaError, listed

if TYPE_CHECKING:
    import tf_keras as keras


@dataclass(frozen=True)
class Plan:
    """The layers of a network, and what keeps it from being one.

    Attributes:
        layers: in order; complete only where there are no faults.
        input: name of the image input in the file.
        output: name of the value that the network gives.
        image_shape: (H, W, C); None where the file leaves it open.
        input_offset: (C,), added to the pixels first; None for nothing.
        channels_last: whether the file takes (N, H, W, C).
        faults: everything without an exact counterpart.
    """

    layers: tuple[Layer, ...]
    input: str
    output: str
    image_shape: tuple[int, int, int] | None
    input_offset: NDArray[np.float32] | None
    channels_last: bool
    faults: tuple[Fault, ...]


def plan_layers(model: onnx.ModelProto, *, generation: int) -> Plan:
    """Read a network without TensorFlow: every layer, or every reason why it cannot be rebuilt.

    Args:
        model: float network with one image input; left as it is.
        generation: Akida generation; 1 fuses depthwise and 1x1 convolutions.

    Raises:
        QanaError: the file is not a valid ONNX network at all.
    """
    graph = simplified_graph(model)
    reading = Reading(graph)
    read_layers(reading)
    output = reading.source(graph.outputs[0])
    faults = reading.faults or [_unknown(layer) for layer in reading.layers if layer.kind == UNKNOWN]
    layers = fuse_separable(reading.layers, output) if generation == 1 else reading.layers
    return Plan(
        layers=tuple(layers),
        input=graph.input,
        output=output,
        image_shape=graph.image_shape,
        input_offset=graph.input_offset,
        channels_last=graph.channels_last,
        faults=tuple(faults),
    )


def _unknown(layer: Layer) -> Fault:
    return Fault(
        layer.node.name,
        layer.node.proto.op_type,
        layer.node.scope,
        "a value whose shape ONNX cannot infer",
        "shapes that follow from the size of the image",
        "export the network for one image size, without control flow",
    )


def onnx_to_keras(model: onnx.ModelProto, *, generation: int) -> keras.Model:
    """Rebuild an ONNX network from native Keras layers.

    Args:
        model: float network, one input (N, C, H, W) or (N, H, W, C) of pixels 0 to 255, one output.
        generation: Akida generation; 1 fuses depthwise and 1x1 convolutions.

    Returns:
        A float Keras model, uint8 (N, H, W, C) to what the network gives, maps as (N, H', W', C').

    Raises:
        QanaError: whatever has no exact counterpart, all named at once.
    """
    plan = plan_layers(model, generation=generation)
    if plan.faults:
        raise QanaError(
            f"the network cannot be rebuilt in Keras: {listed([str(fault) for fault in plan.faults])}",
            where="backbone",
            allowed=f"one output and the operations {SUPPORTED}",
            fix=_advice(plan.faults),
        )
    return build_keras(plan)


def _advice(faults: tuple[Fault, ...]) -> str:
    rewrites = list(dict.fromkeys(fault.rewrite for fault in faults))
    return f"{'; '.join(rewrites)}; or build the network from the units in qana.backbone.unit"


def build_keras(plan: Plan) -> keras.Model:
    """The Keras model of a plan without faults, weights set."""
    import tf_keras as keras

    assert not plan.faults
    assert plan.image_shape is not None
    pixels = keras.Input(plan.image_shape, dtype="uint8", name="pixels")
    # A factor of 1 is how quantizeml wants 8-bit pixels handed to a float model.
    offset = 0.0 if plan.input_offset is None else [float(value) for value in plan.input_offset]
    values: dict[str, Any] = {
        plan.input: keras.layers.Rescaling(1.0, offset, name="to_float")(pixels),
    }
    for layer in plan.layers:
        inputs = [values[name] for name in layer.inputs]
        made = getattr(keras.layers, layer.kind)(name=layer.name, **layer.arguments)
        values[layer.output] = made(inputs if len(inputs) > 1 else inputs[0])
    model = keras.Model(pixels, values[plan.output])
    for layer in plan.layers:
        if layer.weights:
            model.get_layer(layer.name).set_weights(layer.weights)
    return model
