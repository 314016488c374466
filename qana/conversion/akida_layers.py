"""Read an Akida program layer by layer: what each layer is, holds, costs and says."""

from __future__ import annotations

from typing import Any

import akida
import numpy as np
from numpy.typing import NDArray

STRIDED = (
    "InputConvolutional",
    "InputConv2D",
    "Convolutional",
    "SeparableConvolutional",
    "Conv2D",
    "DepthwiseConv2D",
)


def describe_layer(layer: akida.Layer) -> dict[str, Any]:
    """Kind, inbound layers, shapes, multiply-accumulates and weight bytes of one layer.

    MACs are those of the convolution itself, before any pooling behind it; the SDK's own count is 0 on v1.
    """
    weights = [layer.variables[name] for name in layer.variables.names if name.startswith("weights")]
    bits = layer.parameters.weights_bits if weights else 0
    return {
        "name": layer.name,
        "kind": _kind(layer),
        "reads": [parent.name for parent in layer.inbounds],
        "output_shape": [int(size) for size in layer.output_dims],
        "macs": _positions(layer) * sum(int(array.size) for array in weights),
        "weight_bytes": sum(-(-int(array.size) * bits // 8) for array in weights),
    }


def program_weights(program: akida.Model) -> dict[str, NDArray[Any]]:
    """``layer.variable`` to the integers of every weight variable of a program."""
    return {
        f"{layer.name}.{name}": layer.variables[name]
        for layer in program.layers
        for name in layer.variables.names
        if name.startswith("weights")
    }


def layer_outputs(program: akida.Model, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """Output of every layer: each is run once, as a program of its own, on what the one before it gave.

    Args:
        program: on the software backend.
        images: (N, H, W, 3) uint8.

    Returns:
        Layer name to integer codes (N, H', W', C). Layers that end in potentials are left out.

    Raises:
        RuntimeError: the layers one by one do not give what the program gives.
    """
    outputs: dict[str, NDArray[Any]] = {}
    layers = [layer for layer in program.layers if _kind(layer) != "Dequantizer"]
    for index, layer in enumerate(layers):
        outputs[layer.name] = _output(layers[: index + 1], outputs, images)
    last = layers[-1].name
    if not np.array_equal(outputs[last], akida.Model(layers=layers).forward(images)):
        raise RuntimeError(f"{last}: the layers run one by one do not give what the program gives")
    return {layer.name: outputs[layer.name] for layer in layers if _has_codes(layer)}


def _output(
    layers: list[akida.Layer], outputs: dict[str, NDArray[Any]], images: NDArray[np.uint8]
) -> NDArray[Any]:
    """What the last of `layers` gives."""
    layer = layers[-1]
    read = [outputs[parent.name] for parent in layer.inbounds]
    if not read:
        return akida.Model(layers=[layer]).forward(images)
    if _kind(layer) == "Concatenate":
        return np.concatenate(read, axis=-1)
    if len(read) == 1:
        return akida.Model(layers=[layer]).forward(read[0])
    return akida.Model(layers=layers).forward(images)  # a program of its own has one input


def _has_codes(layer: akida.Layer) -> bool:
    if _kind(layer) in ("Concatenate", "Add"):
        return True
    if "activation" not in dir(layer.parameters):  # asking for it would be an error
        return False
    activation = layer.parameters.activation
    return bool(activation) and "NoActivation" not in str(activation)


def _positions(layer: akida.Layer) -> int:
    """Places where the kernel is applied: the output of the convolution, before pooling."""
    if _kind(layer) not in STRIDED:
        return 1
    strides = layer.parameters.kernel_stride
    strides = strides if isinstance(strides, (list, tuple)) else (strides, strides)
    width, height = layer.input_dims[0], layer.input_dims[1]
    return -(-int(width) // int(strides[0])) * -(-int(height) // int(strides[1]))


def _kind(layer: akida.Layer) -> str:
    """Layer type without its enumeration: ``SeparableConvolutional``, ``Conv2D``, ..."""
    return str(layer.parameters.layer_type).split(".")[-1]
