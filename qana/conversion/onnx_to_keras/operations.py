"""One function per ONNX operation: the native Keras layer that computes the same, in NHWC.

Each takes the importer, which knows the graph and the Keras values so far, and the node; it returns the Keras
value of the node's output. Weights are set when the model is complete; see `Importer.weights`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import tf_keras as keras

from qana.backbone.padding import same_padding
from qana.conversion.onnx_to_keras.graph import Node, scalar

if TYPE_CHECKING:
    from qana.conversion.onnx_to_keras.importer import Importer

layers = keras.layers


class UnsupportedNodeError(ValueError):
    """A node that no native layer computes exactly; the text says which and why."""


def convolution(importer: Importer, node: Node) -> Any:
    """Conv: full, or depthwise where it has one group per channel.

    ``W`` (C_out, C_in / groups, h, w) becomes (h, w, C_in, C_out), or (h, w, C, 1) when depthwise.
    """
    x = importer.value(node.inputs[0])
    weight, bias = importer.weight(node, 1), importer.bias(node)
    groups, channels = node.attributes.get("group", 1), int(x.shape[-1])
    padding = _padding(node, x, weight.shape[2], weight.shape[3])
    _require(node, _ones(node.attributes.get("dilations")), "dilations other than 1")
    strides = tuple(node.attributes.get("strides", (1, 1)))
    name = importer.name(node)
    common = {"strides": strides, "padding": padding, "use_bias": bias is not None, "name": name}
    if groups == 1:
        layer = layers.Conv2D(weight.shape[0], weight.shape[2:], **common)
        kernel = weight.transpose(2, 3, 1, 0)
    elif groups == channels == weight.shape[0]:
        layer = layers.DepthwiseConv2D(weight.shape[2:], **common)
        kernel = weight.transpose(2, 3, 0, 1)
    else:
        raise UnsupportedNodeError(f"{node.name}: {groups} groups over {channels} channels")
    importer.weights[name] = [kernel] if bias is None else [kernel, bias]
    return layer(x)


def separable_convolution(importer: Importer, depthwise: Node, pointwise: Node) -> Any:
    """A depthwise Conv without bias and the 1x1 Conv behind it, as one SeparableConv2D (Akida v1)."""
    x = importer.value(depthwise.inputs[0])
    kernel, point = importer.weight(depthwise, 1), importer.weight(pointwise, 1)
    bias = importer.bias(pointwise)
    for node in (depthwise, pointwise):
        _require(node, _ones(node.attributes.get("dilations")), "dilations other than 1")
    # The fused layer has one padding, the depthwise one.
    _require(pointwise, not any(pointwise.attributes.get("pads", ())), "pads around a 1x1 kernel")
    name = importer.name(pointwise)
    layer = layers.SeparableConv2D(
        point.shape[0],
        kernel.shape[2:],
        strides=tuple(depthwise.attributes.get("strides", (1, 1))),
        padding=_padding(depthwise, x, kernel.shape[2], kernel.shape[3]),
        use_bias=bias is not None,
        name=name,
    )
    arrays = [kernel.transpose(2, 3, 0, 1), point.transpose(2, 3, 1, 0)]
    importer.weights[name] = arrays if bias is None else [*arrays, bias]
    return layer(x)


def clip(importer: Importer, node: Node) -> Any:
    """Clip(0, max) as a bounded ReLU."""
    low = scalar(importer.graph.constant(node, 1), -np.inf)
    high = scalar(importer.graph.constant(node, 2), np.inf)
    _require(
        node, low == 0 and np.isfinite(high), f"a clip to [{low:g}, {high:g}]; only [0, bound] is a ReLU"
    )
    return layers.ReLU(max_value=high, name=importer.name(node))(importer.value(node.inputs[0]))


def relu(importer: Importer, node: Node) -> Any:
    """Relu without a bound."""
    return layers.ReLU(name=importer.name(node))(importer.value(node.inputs[0]))


def max_pool(importer: Importer, node: Node) -> Any:
    """MaxPool; `same` where ceil_mode or the paddings say so."""
    x = importer.value(node.inputs[0])
    _require(node, _ones(node.attributes.get("dilations")), "dilations other than 1")
    size = tuple(node.attributes["kernel_shape"])
    strides = tuple(node.attributes.get("strides", (1, 1)))
    if node.attributes.get("ceil_mode", 0):
        _require(node, not any(node.attributes.get("pads", ())), "ceil_mode together with pads")
        axes = zip(x.shape[1:3], size, strides, strict=True)
        same = all(_ceil_is_same(int(length), width, stride) for length, width, stride in axes)
        _require(node, same, f"{size[0]}x{size[1]} in ceil_mode on {x.shape[1]}x{x.shape[2]}")
        padding = "same"
    else:
        padding = _padding(node, x, *size)
    layer = layers.MaxPool2D(size, strides=strides, padding=padding, name=importer.name(node))
    return layer(x)


def global_average_pool(importer: Importer, node: Node) -> Any:
    """GlobalAveragePool; the two spatial axes of length 1 are dropped."""
    x = importer.value(node.inputs[0])
    return layers.GlobalAveragePooling2D(name=importer.name(node))(x)


def concatenate(importer: Importer, node: Node) -> Any:
    """Concat over the channels."""
    _require(node, node.attributes["axis"] in (1, -3), "an axis other than the channels")
    values = [importer.value(name) for name in node.inputs]
    return layers.Concatenate(name=importer.name(node))(values)


def add(importer: Importer, node: Node) -> Any:
    """Add of two computed values."""
    _require(node, importer.graph.constant(node, 0) is None, "a constant addend")
    _require(node, importer.graph.constant(node, 1) is None, "a constant addend")
    return layers.Add(name=importer.name(node))([importer.value(name) for name in node.inputs])


def flatten(importer: Importer, node: Node) -> Any:
    """Flatten behind a global pool, where there is nothing left to reorder."""
    x = importer.value(node.inputs[0])
    _require(node, len(x.shape) == 2, f"a map of shape {tuple(x.shape[1:])}; pool it first")
    return x


def dense(importer: Importer, node: Node) -> Any:
    """Gemm with constant weights."""
    x = importer.value(node.inputs[0])
    weight, bias = importer.weight(node, 1), importer.bias(node)
    plain = all(node.attributes.get(name, 1.0) == 1.0 for name in ("alpha", "beta"))
    _require(node, plain and not node.attributes.get("transA", 0), "alpha, beta or a transposed input")
    kernel = weight.T if node.attributes.get("transB", 0) else weight
    name = importer.name(node)
    importer.weights[name] = [kernel] if bias is None else [kernel, bias]
    return layers.Dense(kernel.shape[1], use_bias=bias is not None, name=name)(x)


def identity(importer: Importer, node: Node) -> Any:
    """Identity."""
    return importer.value(node.inputs[0])


OPERATIONS: dict[str, Callable[[Importer, Node], Any]] = {
    "Add": add,
    "Clip": clip,
    "Concat": concatenate,
    "Conv": convolution,
    "Flatten": flatten,
    "Gemm": dense,
    "GlobalAveragePool": global_average_pool,
    "Identity": identity,
    "MaxPool": max_pool,
    "Relu": relu,
}


def _padding(node: Node, x: Any, height: int, width: int) -> str:
    """``same`` or ``valid``, where the node's pads are exactly that; nothing else converts faithfully."""
    auto = node.attributes.get("auto_pad", b"NOTSET")
    auto = auto.decode() if isinstance(auto, bytes) else auto
    if auto in ("SAME_UPPER", "VALID"):
        return "same" if auto == "SAME_UPPER" else "valid"
    pads = tuple(node.attributes.get("pads", (0, 0, 0, 0)))
    strides = tuple(node.attributes.get("strides", (1, 1)))
    top, bottom = same_padding(int(x.shape[1]), height, strides[0])
    left, right = same_padding(int(x.shape[2]), width, strides[1])
    if pads == (top, left, bottom, right):
        return "same"
    if not any(pads):
        return "valid"
    raise UnsupportedNodeError(
        f"{node.name}: pads {pads} at stride {strides[0]} on {x.shape[1]}x{x.shape[2]}; "
        f"the chip pads {(top, left, bottom, right)}"
    )


def _ceil_is_same(length: int, width: int, stride: int) -> bool:
    """Whether rounding the number of outputs up, without padding in front, is TensorFlow's ``same``."""
    before, _ = same_padding(length, width, stride)
    return before == 0 and -(-(length - width) // stride) + 1 == -(-length // stride)


def _ones(values: Any) -> bool:
    return values is None or all(value == 1 for value in values)


def _require(node: Node, condition: bool, otherwise: str) -> None:
    if not condition:
        raise UnsupportedNodeError(f"{node.name} ({node.operation}): {otherwise}")
