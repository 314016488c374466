"""Layers with weights: what an ONNX Conv or a constant matrix becomes in NHWC, and why it may not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qana.conversion.onnx_to_keras.fold_pads import strides
from qana.conversion.onnx_to_keras.graph import Node, text
from qana.conversion.onnx_to_keras.layer import Value
from qana.conversion.onnx_to_keras.reading import Reading
from qana.conversion.onnx_to_keras.windows import chip_pads, convolution_padding, map_after


def convolution(reading: Reading, node: Node) -> None:
    """Conv: full, or depthwise where it has one group per channel; 1x1 over a vector is a matrix.

    ``W`` (C_out, C_in / groups, h, w) becomes (h, w, C_in, C_out), or (h, w, C, 1) when depthwise.
    """
    weight, bias, value = reading.weight(node, 1), reading.bias(node), reading.value(node, 0)
    if weight is None:
        return
    if weight.ndim != 4:
        _fault_rank(reading, node, weight.ndim)
        return
    groups = node.attributes.get("group", 1)
    depthwise = groups > 1 and groups == groups * weight.shape[1] == weight.shape[0]
    check_windows(reading, node)
    _check_groups(reading, node, weight, depthwise=depthwise)
    if value is None:
        return
    if len(value.shape) == 1:
        _pointwise_over_vector(reading, node, value)
        return
    kernel = weight.transpose(2, 3, 0, 1) if depthwise else weight.transpose(2, 3, 1, 0)
    size, steps = weight.shape[2:], strides(node)
    padding = _convolution_padding(reading, node, value, size)
    arguments = {"kernel_size": size, "strides": steps, "padding": padding, "use_bias": bias is not None}
    if not depthwise:
        arguments["filters"] = weight.shape[0]
    reading.add(
        node,
        "DepthwiseConv2D" if depthwise else "Conv2D",
        arguments,
        reading.shaped(node.outputs[0])
        or Value(map_after(value.shape, size, steps, padding, weight.shape[0])),
        [kernel] if bias is None else [kernel, bias],
    )


def _fault_rank(reading: Reading, node: Node, rank: int) -> None:
    found = f"a convolution over {rank - 2} axes"
    reading.fault(node, found, allowed="two axes, rows and columns", rewrite="use Conv2d on images")


def check_windows(reading: Reading, node: Node) -> None:
    """Note dilations, and pads by name that could not be resolved, of a Conv or MaxPool."""
    rule = text(node.attributes.get("auto_pad"), "NOTSET")
    if rule != "NOTSET" and reading.graph.image_shape is not None:
        found, rewrite = f"auto_pad={rule} on a map of unknown size", "write the pads as numbers"
        reading.fault(node, found, allowed="pads as numbers, SAME_UPPER or VALID", rewrite=rewrite)
    dilations = tuple(node.attributes.get("dilations", (1, 1)))
    if set(dilations) != {1}:
        reading.fault(
            node,
            f"dilations {dilations}, other than 1",
            allowed="dilations of 1",
            rewrite="use dilation=1 with a larger kernel (5x5 instead of 3x3 with dilation 2), or a stride",
        )


def _check_groups(reading: Reading, node: Node, weight: NDArray[np.float32], *, depthwise: bool) -> None:
    groups = node.attributes.get("group", 1)
    if groups > 1 and not depthwise:
        reading.fault(
            node,
            f"{groups} groups over {groups * weight.shape[1]} channels in, {weight.shape[0]} out",
            allowed="groups=1, or groups = channels in = channels out (depthwise)",
            rewrite="use groups=1, or a depthwise convolution with a 1x1 convolution behind it",
        )
    if depthwise and len(set(strides(node))) > 1:
        found = f"a depthwise kernel at strides {strides(node)}"
        reading.fault(node, found, allowed="equal strides", rewrite="use the same stride along both axes")


def _convolution_padding(reading: Reading, node: Node, value: Value, size: tuple[int, ...]) -> str:
    """``same`` or ``valid``; where it is neither, that is noted."""
    pads, steps = tuple(node.attributes.get("pads", (0, 0, 0, 0))), strides(node)
    padding = convolution_padding(value.shape, size, steps, pads)
    if any(n < k for n, k in zip(value.shape, size, strict=False)) and padding == "valid":
        found = f"a {size[0]}x{size[1]} kernel on {value.shape[0]}x{value.shape[1]} without pads"
        rewrite = "use larger images or fewer strides"
        reading.fault(node, found, allowed="a kernel within the map", rewrite=rewrite)
    if padding is None and set(node.attributes.get("dilations", (1,))) == {1}:
        top, left, bottom, right = wanted = chip_pads(value.shape, size, steps)
        reading.fault(
            node,
            f"pads {pads} at stride {steps[0]} on {value.shape[0]}x{value.shape[1]}; the chip pads {wanted}",
            allowed=f"pads {wanted} (top, left, bottom, right), or none",
            rewrite=f"padding=0 behind torch.nn.ZeroPad2d(({left}, {right}, {top}, {bottom})), then train "
            "again from these weights",
        )
    return padding or "same"


def _pointwise_over_vector(reading: Reading, node: Node, value: Value) -> None:
    """A 1x1 convolution behind a global pool."""
    weight, bias = reading.graph.constant(node, 1), reading.graph.constant(node, 2)
    assert weight is not None
    pads = node.attributes.get("pads", ())
    if weight.shape[1:] != (value.shape[0], 1, 1) or value.flattened is not None or any(pads):
        found = f"a {weight.shape[2]}x{weight.shape[3]} kernel over {value.shape[0]} pooled features"
        rewrite = "use a 1x1 convolution or a Linear layer behind the pool"
        reading.fault(node, found, allowed="a 1x1 kernel over all features, without pads", rewrite=rewrite)
        return
    kernel = weight[:, :, 0, 0].T
    arguments = {"units": weight.shape[0], "use_bias": bias is not None}
    weights = [kernel] if bias is None else [kernel, bias]
    reading.add(node, "Dense", arguments, Value((weight.shape[0],)), weights)


def dense(reading: Reading, node: Node) -> None:
    """A constant matrix; behind a flattened map its rows are put into Keras' order."""
    weight, bias, value = reading.weight(node, 1), reading.bias(node), reading.value(node, 0)
    if weight is None or value is None:
        return
    if value.shape != (weight.shape[0],):
        found = f"a matrix over the last axis of a map {value.shape}"
        rewrite = "pool or flatten the map first, or use a 1x1 convolution"
        reading.fault(node, found, allowed="a vector of features", rewrite=rewrite)
        return
    if value.flattened is not None:
        height, width, channels = value.flattened
        by_place = weight.reshape(channels, height, width, -1).transpose(1, 2, 0, 3)
        weight = by_place.reshape(weight.shape)
    weights = [weight] if bias is None else [weight, bias]
    arguments = {"units": weight.shape[1], "use_bias": bias is not None}
    reading.add(node, "Dense", arguments, Value((weight.shape[1],)), weights)
