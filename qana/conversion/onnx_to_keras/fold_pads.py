"""Explicit pads become the pads of the convolution or pool behind them."""

from __future__ import annotations

import numpy as np

from qana.backbone.padding import same_padding
from qana.conversion.onnx_to_keras.graph import Graph, Node, has_input, text

PADDED = ("Conv", "MaxPool")


def resolve_auto_pad(graph: Graph) -> None:
    """Write pads that are given by name as numbers."""
    for node in graph.nodes:
        if node.operation in PADDED:
            _resolve(graph, node)


def _resolve(graph: Graph, node: Node) -> None:
    rule, shape = text(node.attributes.get("auto_pad"), "NOTSET"), graph.shapes.get(node.inputs[0])
    if rule == "VALID":
        node.attributes.update(auto_pad="NOTSET", pads=(0, 0, 0, 0))
    elif rule in ("SAME_UPPER", "SAME_LOWER") and shape is not None and len(shape) == 4:
        axes = [
            same_padding(length, size, stride)
            for length, size, stride in zip(shape[2:], kernel_shape(graph, node), strides(node), strict=True)
        ]
        if rule == "SAME_LOWER":
            axes = [(after, before) for before, after in axes]
        (top, bottom), (left, right) = axes
        node.attributes.update(auto_pad="NOTSET", pads=(top, left, bottom, right))


def fold_pads(graph: Graph) -> None:
    """Merge every constant Pad of the map into its readers, where that computes the same."""
    for node in list(graph.nodes):
        pads = map_pads(graph, node) if node.operation == "Pad" else None
        if pads is None:
            continue
        if not any(pads):
            graph.remove(node)
        elif _all_readers_take(graph, node):
            for reader in graph.readers(node.outputs[0]):
                own = reader.attributes.get("pads", (0, 0, 0, 0))
                reader.attributes["pads"] = tuple(a + b for a, b in zip(own, pads, strict=True))
            graph.remove(node)


def map_pads(graph: Graph, node: Node) -> tuple[int, int, int, int] | None:
    """(top, left, bottom, right) of a Pad with constants; None where it pads anything else, or crops."""
    pads = node.attributes.get("pads")
    if pads is None:
        constant = graph.constant(node, 1)
        pads = None if constant is None else constant.reshape(-1).tolist()
    if pads is None or text(node.attributes.get("mode"), "constant") != "constant":
        return None
    axes = [0, 1, 2, 3]
    if has_input(node, 3):
        given = graph.constant(node, 3)
        if given is None:
            return None
        axes = [int(axis) % 4 for axis in given.reshape(-1)]
    if len(pads) != 2 * len(axes):
        return None
    before, after = dict(zip(axes, pads, strict=False)), dict(zip(axes, pads[len(axes) :], strict=True))
    amounts = [side.get(axis, 0) for side in (before, after) for axis in range(4)]
    if min(amounts) < 0 or any(side.get(axis, 0) for side in (before, after) for axis in (0, 1)):
        return None
    return (before.get(2, 0), before.get(3, 0), after.get(2, 0), after.get(3, 0))


def pad_value(graph: Graph, node: Node) -> float | None:
    """What a Pad puts around the map; None where it is computed."""
    if has_input(node, 2):
        constant = graph.constant(node, 2)
        return None if constant is None else float(constant.reshape(-1)[0])
    return float(node.attributes.get("value", 0.0))


def _all_readers_take(graph: Graph, node: Node) -> bool:
    value, readers = node.outputs[0], graph.readers(node.outputs[0])
    return (
        bool(readers)
        and value not in graph.outputs
        and all(_takes(graph, node, reader) for reader in readers)
    )


def _takes(graph: Graph, pad: Node, reader: Node) -> bool:
    """A convolution pads with zeros, a max pool with nothing, which is zero where nothing is negative."""
    if text(reader.attributes.get("auto_pad"), "NOTSET") != "NOTSET" or reader.inputs[0] != pad.outputs[0]:
        return False
    value = pad_value(graph, pad)
    if reader.operation == "Conv":
        return value == 0.0
    if reader.operation != "MaxPool" or reader.attributes.get("ceil_mode", 0):
        return False
    lowest = float(np.finfo(np.float32).min)
    return value is not None and (value <= lowest or (value == 0.0 and _is_nonnegative(graph, pad.inputs[0])))


def _is_nonnegative(graph: Graph, value: str) -> bool:
    node = graph.producer(value)
    while node is not None and node.operation == "MaxPool":
        node = graph.producer(node.inputs[0])
    return node is not None and node.operation == "Bounded" and node.attributes["low"] >= 0.0


def kernel_shape(graph: Graph, node: Node) -> tuple[int, ...]:
    """Size of the window, from the attribute or from the weights."""
    size = node.attributes.get("kernel_shape")
    if size is not None:
        return tuple(size)
    weight = graph.constant(node, 1)
    return () if weight is None else tuple(weight.shape[2:])


def strides(node: Node) -> tuple[int, int]:
    """Strides along rows and columns."""
    along_rows, along_columns = node.attributes.get("strides", (1, 1))
    return int(along_rows), int(along_columns)
