"""Read an Akida program layer by layer: what each layer is, costs and says."""

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
    """Kind, shapes, multiply-accumulates and weight bytes of one layer.

    MACs are those of the convolution itself, before any pooling behind it; the SDK's own count is 0 on v1.
    """
    weights = [layer.variables[name] for name in layer.variables.names if name.startswith("weights")]
    bits = layer.parameters.weights_bits if weights else 0
    return {
        "name": layer.name,
        "kind": _kind(layer),
        "output_shape": [int(size) for size in layer.output_dims],
        "macs": _positions(layer) * sum(int(array.size) for array in weights),
        "weight_bytes": sum(-(-int(array.size) * bits // 8) for array in weights),
    }


def layer_outputs(program: akida.Model, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """Output of every layer, by cutting the program behind each in turn.

    Args:
        program: on the software backend; used up.
        images: (N, H, W, 3) uint8.

    Returns:
        Layer name to integer codes (N, H', W', C). Layers that end in potentials are left out.
    """
    outputs: dict[str, NDArray[Any]] = {}
    while len(program.layers) > 0:
        layer = program.layers[-1]
        if _has_codes(layer):
            outputs[layer.name] = program.forward(images)
        if len(program.layers) == 1:
            break
        program.pop_layer()
    return outputs


def _has_codes(layer: akida.Layer) -> bool:
    if _kind(layer) == "Concatenate":
        return True
    if _kind(layer) == "Dequantizer":
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
