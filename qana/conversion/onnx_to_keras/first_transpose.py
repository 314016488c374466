"""Files that take (N, H, W, C) turn it around first; here the channels come first from the start."""

from __future__ import annotations

import numpy as np

from qana.conversion.onnx_to_keras.fault import Fault
from qana.conversion.onnx_to_keras.graph import Graph, Node

TO_CHANNELS_FIRST = [0, 3, 1, 2]
PER_PIXEL = ("Add", "Cast", "Div", "Identity", "Mul", "Sub")


def drop_first_transpose(graph: Graph) -> None:
    """Take out the Transpose from channels-last pixels, and turn the constants ahead of it."""
    passed: list[Node] = []
    node = graph.only_reader(graph.input)
    while node is not None and node.operation in PER_PIXEL:
        passed.append(node)
        node = graph.only_reader(node.outputs[0])
    if node is None or node.operation != "Transpose" or node.attributes.get("perm") != TO_CHANNELS_FIRST:
        graph.faults.append(_fault(graph))
        return
    for value in [graph.input, *(name for before in passed for name in before.outputs)]:
        _turn_shape(graph, value)
    for before in passed:
        before.inputs = [_turned(graph, name) for name in before.inputs]
    graph.remove(node)


def _turn_shape(graph: Graph, value: str) -> None:
    if value in graph.shapes:
        batch, height, width, channels = graph.shapes[value]
        graph.shapes[value] = (batch, channels, height, width)


def _turned(graph: Graph, name: str) -> str:
    constant = graph.constants.get(name)
    if constant is None or constant.size == 1:
        return name
    full = constant.reshape((1,) * (4 - constant.ndim) + constant.shape)
    return graph.add_constant(f"{name}~", np.ascontiguousarray(full.transpose(TO_CHANNELS_FIRST)))


def _fault(graph: Graph) -> Fault:
    return Fault(
        node=graph.input,
        operation="",
        scope="",
        found="pixels (N, H, W, C) that are not brought to (N, C, H, W) first",
        allowed=f"a Transpose with perm={TO_CHANNELS_FIRST} as the first operation",
        rewrite="export with the input as (N, 3, H, W)",
    )
