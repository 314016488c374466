"""From an ONNX file to a graph of one image, every shape that can be known, and the faults of the file."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx.inliner
from onnx import numpy_helper

from qana.conversion.onnx_to_keras.file_faults import (
    image_input,
    image_shape,
    opset,
    opset_faults,
    output_faults,
    require_valid,
)
from qana.conversion.onnx_to_keras.fold_constants import fold_constants
from qana.conversion.onnx_to_keras.graph import Graph, Node
from qana.conversion.onnx_to_keras.node_names import layer_name, module_scope


def read_graph(model: onnx.ModelProto) -> Graph:
    """Read a float ONNX network; its own faults are collected, not raised.

    Args:
        model: left as it is.

    Raises:
        QanaError: the file breaks ONNX's own rules, or has no image input at all.
    """
    faults = opset_faults(model)
    if not faults:
        require_valid(model)
    inlined = onnx.inliner.inline_local_functions(model) if model.functions else model
    single = onnx.ModelProto()
    single.CopyFrom(inlined)
    graph = single.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    image, input_faults = image_input(graph, set(constants))
    shape, channels_last, shape_faults = image_shape(image)
    _take_one_image(graph, image)
    read = Graph(
        nodes=_nodes(graph, constants),
        constants=constants,
        shapes={},
        opset=opset(model),
        input=image.name,
        image_shape=shape,
        channels_last=channels_last,
        outputs=[output.name for output in graph.output],
        faults=[*faults, *input_faults, *shape_faults, *output_faults(graph)],
    )
    _settle(read, single)
    return read


def _take_one_image(graph: onnx.GraphProto, image: onnx.ValueInfoProto) -> None:
    """Fix the batch at 1, and forget shapes that may speak of another one."""
    dims = image.type.tensor_type.shape.dim
    if len(dims) > 0:
        dims[0].dim_value = 1
    del graph.value_info[:]
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")


def _settle(read: Graph, single: onnx.ModelProto) -> None:
    """Infer shapes and fold constants in turns: a pad may hang on a constant, a constant on a shape."""
    read.shapes = _shapes(single)
    while folded := fold_constants(read):
        kept = [node for node in single.graph.node if not folded.intersection(node.output)]
        del single.graph.node[:]
        single.graph.node.extend(kept)
        constants = [numpy_helper.from_array(read.constants[name], name) for name in sorted(folded)]
        single.graph.initializer.extend(constants)
        read.shapes = _shapes(single)


def _shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Shapes of all values that ONNX can infer."""
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except onnx.shape_inference.InferenceError:  # the offending nodes are found one by one later
        inferred = model.graph
    shapes = {}
    for value in [*inferred.input, *inferred.value_info, *inferred.output]:
        tensor = value.type.tensor_type
        sizes = tuple(dim.dim_value for dim in tensor.shape.dim)
        if tensor.HasField("shape") and all(sizes):
            shapes[value.name] = sizes
    return shapes


def _nodes(graph: onnx.GraphProto, constants: dict[str, Any]) -> list[Node]:
    """All nodes that are computed; ``Constant`` nodes join `constants`."""
    nodes: list[Node] = []
    for proto in graph.node:
        if proto.op_type == "Constant":
            constants[proto.output[0]] = _constant(proto)
        else:
            nodes.append(_node(proto))
    _make_unique(nodes)
    return nodes


def _node(proto: onnx.NodeProto) -> Node:
    name = proto.name or proto.output[0]
    scope = module_scope(proto, name)
    domain = f"{proto.domain}." if proto.domain not in ("", "ai.onnx") else ""
    return Node(
        operation=domain + proto.op_type,
        name=name,
        scope=scope,
        layer=layer_name(proto, name, scope),
        inputs=list(proto.input),
        outputs=list(proto.output),
        attributes={attribute.name: _value(attribute) for attribute in proto.attribute},
        proto=proto,
    )


def _make_unique(nodes: list[Node]) -> None:
    """Layers of one Keras model have different names, also where a module is used twice."""
    seen: set[str] = {"pixels", "to_float"}
    for node in nodes:
        base, count = node.layer, 1
        while node.layer in seen:
            count += 1
            node.layer = f"{base}_{count}"
        seen.add(node.layer)


def _constant(proto: onnx.NodeProto) -> Any:
    attribute = proto.attribute[0]
    if attribute.name == "value":
        return numpy_helper.to_array(attribute.t)
    kind = "float32" if attribute.name.startswith("value_float") else "int64"
    return np.asarray(onnx.helper.get_attribute_value(attribute), dtype=kind)


def _value(attribute: onnx.AttributeProto) -> Any:
    value = onnx.helper.get_attribute_value(attribute)
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value
