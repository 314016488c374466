"""One function per operation of a simplified graph: the native Keras layer that computes the same, in NHWC.

Each notes all that is wrong with its node and returns; it plans a layer where nothing is.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qana.conversion.onnx_to_keras.advice import BOUNDED_RELU, rewrite_of
from qana.conversion.onnx_to_keras.convolutions import check_windows, convolution, dense
from qana.conversion.onnx_to_keras.fold_pads import kernel_shape, map_pads, pad_value, strides
from qana.conversion.onnx_to_keras.graph import Node
from qana.conversion.onnx_to_keras.layer import Value
from qana.conversion.onnx_to_keras.reading import Reading
from qana.conversion.onnx_to_keras.windows import map_after, pool_padding

SUPPORTED = (
    "Add, AveragePool and ReduceMean over the whole map, BatchNormalization, Clip, Concat, Conv, Dropout, "
    "Flatten, Gemm, GlobalAveragePool, Identity, MatMul, MaxPool, Pad, Relu, Reshape and Squeeze to a "
    "vector, Add, Sub, Mul and Div with a constant"
)


def read_layers(reading: Reading) -> None:
    """Plan a layer for every node of the graph, in order."""
    for node in list(reading.graph.nodes):
        OPERATIONS.get(node.operation, unsupported)(reading, node)
        if node.outputs[0] not in reading.values:
            reading.hold_place(node)


def bounded(reading: Reading, node: Node) -> None:
    """A clip to [0, bound], or to everything from 0."""
    low, high = node.attributes["low"], node.attributes["high"]
    value = reading.value(node, 0)
    if low != 0 or not high > 0:
        reading.fault(
            node,
            f"a clip to [{low:g}, {high:g}]; only [0, bound] is a ReLU",
            allowed="a lower limit of 0 and an upper one above it",
            rewrite=BOUNDED_RELU,
        )
    if value is not None:
        bound = None if np.isinf(high) else high
        reading.add(node, "ReLU", {"max_value": bound}, value)


def max_pool(reading: Reading, node: Node) -> None:
    """MaxPool, where its windows are those of ``same`` or ``valid``."""
    value, faults = reading.value(node, 0), len(reading.faults)
    check_windows(reading, node)
    size = kernel_shape(reading.graph, node)
    if value is None or len(reading.faults) > faults:
        return
    pads, ceil_mode = (
        tuple(node.attributes.get("pads", (0, 0, 0, 0))),
        bool(node.attributes.get("ceil_mode", 0)),
    )
    padding = None
    if len(value.shape) == 3 and len(size) == 2:
        padding = pool_padding(value.shape, size, strides(node), pads, ceil_mode=ceil_mode)
    if padding is None or (
        padding == "valid" and any(n < k for n, k in zip(value.shape, size, strict=False))
    ):
        reading.fault(
            node,
            f"windows {'x'.join(map(str, size))} at stride {strides(node)[0]} with pads {pads}"
            f"{' in ceil_mode' if ceil_mode else ''} on {'x'.join(map(str, value.shape[:2]))}",
            allowed="windows that begin where TensorFlow's same or valid begin",
            rewrite="use a 2x2 max pool with stride 2, padding=0 and ceil_mode=True",
        )
        return
    after = Value(map_after(value.shape, size, strides(node), padding, value.shape[2]))
    reading.add(node, "MaxPool2D", {"pool_size": size, "strides": strides(node), "padding": padding}, after)


def global_average_pool(reading: Reading, node: Node) -> None:
    """A mean over the whole map; the two spatial axes are dropped."""
    value = reading.value(node, 0)
    if value is None:
        return
    if len(value.shape) == 3:
        reading.add(node, "GlobalAveragePooling2D", {}, Value((value.shape[2],)))
    elif _channels_in_front(reading, node, value):
        reading.same(node, value)
    else:
        _fault_axis(reading, node)


def concatenate(reading: Reading, node: Node) -> None:
    """Concat over the channels."""
    values = [reading.value(node, index) for index in range(len(node.inputs))]
    if any(name in reading.graph.constants for name in node.inputs):
        rewrite = "concatenate computed features only"
        reading.fault(
            node, "a constant beside computed features", allowed="computed features", rewrite=rewrite
        )
        return
    known = [value for value in values if value is not None]
    ranks = [len(reading.graph.shapes.get(name, ())) for name in node.inputs]
    on_channels = node.attributes["axis"] in {1, *(1 - rank for rank in ranks if rank)}
    in_order = all(_channels_in_front(reading, node, value, i) for i, value in enumerate(values) if value)
    if not on_channels or not in_order:
        _fault_axis(reading, node)
    elif len(known) == len(values):
        channels = sum(value.shape[-1] for value in known)
        after = Value((*known[0].shape[:-1], channels))
        reading.add(node, "Concatenate", {}, after, inputs=len(values))


def add(reading: Reading, node: Node) -> None:
    """Add of two computed values of one shape."""
    values = [reading.value(node, index) for index in range(len(node.inputs))]
    if any(name in reading.graph.constants for name in node.inputs):
        found = "a constant addend that is not one number per channel behind a convolution"
        rewrite = "use the bias of a convolution or of a norm"
        reading.fault(node, found, allowed="two computed values", rewrite=rewrite)
        return
    if None in values:
        return
    left, right = values
    assert left is not None
    # Vectors have one shape in Keras and several in ONNX, where they may broadcast.
    first, second = (reading.graph.shapes.get(name) for name in node.inputs)
    if left != right or first != second:
        found = f"an addition that broadcasts {left.shape} and {right.shape if right else ''}"
        rewrite = "bring both branches to the same shape with a convolution"
        reading.fault(node, found, allowed="two values of the same shape", rewrite=rewrite)
        return
    reading.add(node, "Add", {}, left, inputs=2)


def vector(reading: Reading, node: Node) -> None:
    """A map as one long axis; behind a global pool there is nothing left to do."""
    value = reading.value(node, 0)
    if value is None:
        return
    if len(value.shape) == 1:
        reading.same(node, value)
        return
    height, width, channels = value.shape
    ordered = height * width == 1 or channels == 1
    flattened = None if ordered else (height, width, channels)
    reading.add(node, "Flatten", {}, Value((height * width * channels,), flattened))


def affine(reading: Reading, node: Node) -> None:
    """A factor or summand per channel that is not next to weights it could move into."""
    reading.fault(
        node,
        "a factor or summand per channel that no convolution or dense layer next to it can take up",
        allowed="directly behind a convolution or dense layer, or on the input",
        rewrite=rewrite_of("BatchNormalization"),
    )


def pad(reading: Reading, node: Node) -> None:
    """A pad that no convolution behind it can take up."""
    pads, value = map_pads(reading.graph, node), pad_value(reading.graph, node)
    detail = "other than constant pads of the map" if pads is None else f"of {pads} with {value}"
    reading.fault(
        node,
        f"a pad {detail} that is not directly ahead of a convolution",
        allowed="pads of zeros (top, left, bottom, right) that only convolutions read",
        rewrite="pad with zeros directly ahead of each convolution, as TensorFlow's same does",
    )


def unsupported(reading: Reading, node: Node) -> None:
    """Anything else."""
    if node.operation in SHAPED and reading.graph.image_shape is None:
        return  # legal or not by the shape of the map, which is what the file leaves open
    reading.fault(
        node,
        f"the operation {node.operation} in this form"
        if node.operation in REWRITTEN_IN_PART
        else f"the operation {node.operation}",
        allowed=SUPPORTED,
        rewrite=rewrite_of(node.operation),
    )


def _channels_in_front(reading: Reading, node: Node, value: Value, index: int = 0) -> bool:
    """Whether the channels of a value are on ONNX's axis 1; a vector may have been turned."""
    if len(value.shape) == 3:
        return True
    shape = reading.graph.shapes.get(node.inputs[index])
    return value.flattened is None and shape is not None and shape[1] == value.shape[0]


def _fault_axis(reading: Reading, node: Node) -> None:
    rewrite = "keep the channels on axis 1 and join or pool only there"
    reading.fault(node, "an axis other than the channels", allowed="channels on axis 1", rewrite=rewrite)


SHAPED = ("AveragePool", "Flatten", "ReduceMean", "Reshape", "Shape", "Squeeze", "Transpose", "Unsqueeze")
REWRITTEN_IN_PART = (
    *SHAPED,
    "Cast",
    "Clip",
    "Div",
    "Dropout",
    "Gemm",
    "MatMul",
    "Max",
    "Min",
    "Mul",
    "Sub",
    "Sum",
)
OPERATIONS: dict[str, Callable[[Reading, Node], None]] = {
    "Add": add,
    "Affine": affine,
    "Bounded": bounded,
    "Concat": concatenate,
    "Conv": convolution,
    "Dense": dense,
    "GlobalAveragePool": global_average_pool,
    "MaxPool": max_pool,
    "Pad": pad,
    "Vector": vector,
}
