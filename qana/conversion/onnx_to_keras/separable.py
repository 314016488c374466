"""Akida v1 has no depthwise layer: a depthwise and a 1x1 convolution become one separable one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qana.conversion.onnx_to_keras.layer import Layer


def fuse_separable(layers: Sequence[Layer], output: str) -> list[Layer]:
    """Fuse every depthwise convolution that only a 1x1 convolution reads.

    A bias between them passes through the 1x1 convolution, which has no pads: ``P (d + b) = P d + P b``.

    Args:
        layers: in order.
        output: value that the network gives.
    """
    fused, taken = [], set()
    for layer in layers:
        pointwise = _pointwise_behind(layer, layers, output)
        if layer.name in taken:
            continue
        if pointwise is None:
            fused.append(layer)
        else:
            fused.append(_separable(layer, pointwise))
            taken.add(pointwise.name)
    return fused


def _pointwise_behind(layer: Layer, layers: Sequence[Layer], output: str) -> Layer | None:
    readers = [reader for reader in layers if layer.output in reader.inputs]
    if layer.kind != "DepthwiseConv2D" or len(readers) != 1 or layer.output == output:
        return None
    arguments = readers[0].arguments
    is_pointwise = (
        readers[0].kind == "Conv2D"
        and tuple(arguments["kernel_size"]) == (1, 1)
        and tuple(arguments["strides"]) == (1, 1)
    )
    return readers[0] if is_pointwise else None


def _separable(depthwise: Layer, pointwise: Layer) -> Layer:
    kernel, point = depthwise.weights[0], pointwise.weights[0]
    bias = pointwise.weights[1] if pointwise.arguments["use_bias"] else None
    if depthwise.arguments["use_bias"]:
        passed = depthwise.weights[1].astype(np.float64) @ point[0, 0].astype(np.float64)
        bias = (passed + (0.0 if bias is None else bias)).astype(np.float32)
    return Layer(
        kind="SeparableConv2D",
        name=pointwise.name,
        inputs=depthwise.inputs,
        output=pointwise.output,
        arguments={
            "filters": pointwise.arguments["filters"],
            "kernel_size": depthwise.arguments["kernel_size"],
            "strides": depthwise.arguments["strides"],
            "padding": depthwise.arguments["padding"],
            "use_bias": bias is not None,
        },
        weights=(kernel, point) if bias is None else (kernel, point, bias),
        before=depthwise.before,
        after=pointwise.after,
        node=pointwise.node,
    )
