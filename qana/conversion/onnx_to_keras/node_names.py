"""Where a node came from: the torch module, as exporters leave it behind, and a name for its Keras layer."""

from __future__ import annotations

import ast
import re

import onnx

SCOPES = (
    "pkg.torch.onnx.name_scopes"  # metadata of torch's dynamo exporter: "['', 'stem', 'stem.conv', 'conv2d']"
)
WEIGHTED = ("Conv", "Gemm", "MatMul")


def module_scope(proto: onnx.NodeProto, node_name: str) -> str:
    """Path of the torch module, such as ``features.4.conv``; empty where the file does not say.

    Example:
        >>> module_scope(onnx.NodeProto(), "/layer1/layer1.0/conv1/Conv")
        'layer1.0.conv1'
    """
    if proto.op_type in WEIGHTED and len(proto.input) > 1 and proto.input[1].endswith(".weight"):
        return proto.input[1].removesuffix(".weight")
    recorded = {entry.key: entry.value for entry in proto.metadata_props}.get(SCOPES)
    if recorded is not None:
        paths = ast.literal_eval(recorded)
        return str(paths[-2]) if len(paths) > 1 else ""
    return _scope_of_name(node_name)


def _scope_of_name(node_name: str) -> str:
    """Torch's older exporter names nodes by the path of attributes, the operator last."""
    if not node_name.startswith("/"):
        return ""
    path: list[str] = []
    for part in node_name.split("/")[1:-1]:
        if path and part.startswith(path[-1] + "."):  # the child of a Sequential repeats its parent
            path[-1] = part
        else:
            path.append(part)
    return ".".join(path)


def layer_name(proto: onnx.NodeProto, node_name: str, scope: str) -> str:
    """Name of the Keras layer: by the module where there are weights, by the node otherwise."""
    if proto.op_type in WEIGHTED and scope:
        return "layer_" + _plain(scope.removesuffix(".conv"))
    return "layer_" + _plain(node_name).lower().lstrip("_")


def _plain(name: str) -> str:
    return re.sub(r"[^0-9A-Za-z_]", "_", name)
