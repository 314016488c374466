"""Factors and summands per channel move into the weights next to them, exactly up to float rounding.

Norms, biases that stand alone and the scaling of the input, such as ``(x / 255 - mean) / std``, all end here.
Arithmetic is done in float64 and rounded once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qana.conversion.onnx_to_keras.graph import REWRITTEN, Graph, Node, has_input

Floats = NDArray[np.float64]


def fold_affine(graph: Graph) -> None:
    """Fold every `Affine` into the convolution or matrix before it, else behind it; leave it otherwise."""
    for node in [node for node in graph.nodes if node.operation == "Affine"]:
        _merge_with_affine_before(graph, node)
    for node in [node for node in graph.nodes if node.operation == "Affine"]:
        if not _fold_back(graph, node):
            _fold_forward(graph, node)


def _merge_with_affine_before(graph: Graph, node: Node) -> None:
    before = graph.producer(node.inputs[0])
    if before is None or before.operation != "Affine" or graph.only_reader(node.inputs[0]) is None:
        return
    scale, shift = node.attributes["scale"], node.attributes["shift"]
    inner = before.attributes
    node.attributes = {"scale": inner["scale"] * scale, "shift": inner["shift"] * scale + shift}
    node.inputs = before.inputs
    graph.nodes.remove(before)


def _fold_back(graph: Graph, node: Node) -> bool:
    """Into the weights that gave this value; a pool in between is passed where it commutes."""
    passed: list[Node] = []
    value = node.inputs[0]
    while True:
        before = graph.producer(value)
        if before is None or graph.only_reader(value) is None:
            return False
        if before.operation in ("Conv", "Dense"):
            break
        if not _commutes(before, node):
            return False
        passed.append(before)
        value = before.inputs[0]
    if not _scale_outputs(graph, before, node.attributes["scale"], node.attributes["shift"]):
        return False
    graph.nodes.remove(node)
    _rename_along(graph, [before, *passed[::-1]], node.outputs[0])
    return True


def _commutes(pool: Node, affine: Node) -> bool:
    """A mean commutes with every factor and summand, a maximum with positive factors."""
    if pool.operation == "GlobalAveragePool":
        return True
    return pool.operation == "MaxPool" and bool((affine.attributes["scale"] > 0).all())


def _rename_along(graph: Graph, chain: list[Node], last: str) -> None:
    """The last value is the one that the file calls `last`; those before it are no longer the file's."""
    for node in chain[:-1]:
        graph.rename(node.outputs[0], node.outputs[0] + REWRITTEN)
    graph.rename(chain[-1].outputs[0], last)


def _scale_outputs(graph: Graph, node: Node, scale: Floats, shift: Floats) -> bool:
    weight, bias = graph.constant(node, 1), graph.constant(node, 2)
    if weight is None or (has_input(node, 2) and bias is None) or weight.dtype != np.float32:
        return False
    channels = weight.shape[0] if node.operation == "Conv" else weight.shape[1]
    if scale.size not in (1, channels) or shift.size not in (1, channels):
        return False
    scale, shift = np.broadcast_to(scale, (channels,)), np.broadcast_to(shift, (channels,))
    along = scale.reshape(-1, *[1] * (weight.ndim - 1)) if node.operation == "Conv" else scale
    old_bias = np.zeros(channels) if bias is None else bias.astype(np.float64)
    _set_weights(graph, node, weight * along, old_bias * scale + shift)
    return True


def _fold_forward(graph: Graph, node: Node) -> bool:
    """Into the weights that alone read this value; a summand only where no pad comes between."""
    reader = graph.only_reader(node.outputs[0])
    if reader is None or reader.operation not in ("Conv", "Dense") or reader.inputs[0] != node.outputs[0]:
        return False
    padded = reader.operation == "Conv" and any(reader.attributes.get("pads", ()))
    scale, shift = node.attributes["scale"], node.attributes["shift"]
    if padded and shift.any():
        return _keep_offset_of_pixels(graph, node, reader)
    if not _scale_inputs(graph, reader, scale, shift):
        return False
    graph.remove(node)
    return True


def _keep_offset_of_pixels(graph: Graph, node: Node, reader: Node) -> bool:
    """The pads of the first convolution are zeros behind the offset: the offset stays, the factor folds.

    ``scale * x + shift = scale * (x + shift / scale)``, and zero stays zero when scaled.
    """
    scale, shift = node.attributes["scale"], node.attributes["shift"]
    channels = graph.channels(graph.input)
    if node.inputs[0] != graph.input or channels is None or not scale.all():
        return False
    if not _scale_inputs(graph, reader, scale, np.zeros(1)):
        return False
    graph.input_offset = np.broadcast_to(shift / scale, (channels,)).astype(np.float32)
    graph.remove(node)
    return True


def _scale_inputs(graph: Graph, node: Node, scale: Floats, shift: Floats) -> bool:
    weight, bias = graph.constant(node, 1), graph.constant(node, 2)
    if weight is None or (has_input(node, 2) and bias is None) or weight.dtype != np.float32:
        return False
    is_conv = node.operation == "Conv"
    kernels = (
        weight.astype(np.float64) if is_conv else weight.T.astype(np.float64)[:, :, np.newaxis, np.newaxis]
    )
    groups = node.attributes.get("group", 1) if is_conv else 1
    channels = kernels.shape[1] * groups
    if scale.size not in (1, channels) or shift.size not in (1, channels) or kernels.ndim != 4:
        return False
    added = (kernels * _per_kernel(shift, kernels, groups)).sum((1, 2, 3))
    kernels = kernels * _per_kernel(scale, kernels, groups)
    old_bias = np.zeros(len(kernels)) if bias is None else bias.astype(np.float64)
    new_bias = old_bias + added if bias is not None or added.any() else None
    _set_weights(graph, node, kernels if is_conv else kernels[:, :, 0, 0].T, new_bias)
    return True


def _per_kernel(values: Floats, kernels: Floats, groups: int) -> Floats:
    """Numbers per input channel, as (C_out, C_in / groups, 1, 1)."""
    of_group = np.broadcast_to(values, (kernels.shape[1] * groups,)).reshape(groups, -1)
    return np.repeat(of_group, len(kernels) // groups, axis=0)[:, :, np.newaxis, np.newaxis]


def _set_weights(graph: Graph, node: Node, weight: Floats, bias: Floats | None) -> None:
    inputs = [node.inputs[0], graph.add_constant(f"{node.inputs[1]}~", weight.astype(np.float32))]
    if bias is not None:
        inputs.append(graph.add_constant(f"{node.outputs[0]}.bias~", bias.astype(np.float32)))
    node.inputs = inputs
