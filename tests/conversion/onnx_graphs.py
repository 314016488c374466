"""ONNX graphs written by hand, and what ONNX Runtime says they compute."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

OPSET = 17


class GraphBuilder:
    """A chain (or net) of nodes over one image input; every method gives the name of its output.

    Args:
        height: of the image.
        width: of the image.
        seed: of the weights.
    """

    def __init__(self, height, width, seed=0):
        self.shape = (height, width, 3)
        self.random = np.random.default_rng(seed)
        self.nodes, self.constants = [], {}

    def node(self, operation, *inputs, **attributes):
        output = f"{operation.lower()}_{len(self.nodes)}"
        node = helper.make_node(operation, list(inputs), [output], name=f"/{output}", **attributes)
        self.nodes.append(node)
        return output

    def constant(self, values, name=None):
        name = name or f"constant.{len(self.constants)}.value"
        self.constants[name] = np.asarray(values, dtype=np.float32)
        return name

    def weight(self, *shape):
        scale = 1.0 / np.sqrt(np.prod(shape[1:]))
        return self.constant(self.random.normal(0, scale, shape), f"{len(self.constants)}.conv.weight")

    def conv(self, x, out_channels, in_channels, kernel=(3, 3), *, group=1, bias=True, **attributes):
        inputs = [x, self.weight(out_channels, in_channels // group, *kernel)]
        if bias:
            inputs.append(self.constant(self.random.normal(0, 20.0, out_channels)))
        return self.node("Conv", *inputs, kernel_shape=list(kernel), group=group, **attributes)

    def clip(self, x, low, high):
        return self.node("Clip", x, self.constant(np.float32(low)), self.constant(np.float32(high)))

    def gemm(self, x, out_features, in_features, *, transposed=True, **attributes):
        shape = (out_features, in_features) if transposed else (in_features, out_features)
        bias = self.constant(self.random.normal(0, 1.0, out_features))
        return self.node("Gemm", x, self.weight(*shape), bias, transB=int(transposed), **attributes)

    def model(self, *outputs):
        height, width, channels = self.shape
        pixels = helper.make_tensor_value_info(
            "pixels", TensorProto.FLOAT, ["batch", channels, height, width]
        )
        results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, axes(name)) for name in outputs]
        constants = [numpy_helper.from_array(array, name) for name, array in self.constants.items()]
        graph = helper.make_graph(self.nodes, "graph", [pixels], results, initializer=constants)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        onnx.checker.check_model(model)
        return model


def axes(output):
    """Symbolic shape of a value: flat behind Flatten and Gemm, a map elsewhere."""
    count = 2 if output.startswith(("flatten", "gemm")) else 4
    return [f"{output}.{axis}" for axis in range(count)]


def run_onnx(model, batch):
    """Outputs of ONNX Runtime as the graph is written, without any rewriting, in NHWC."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    pixels = np.ascontiguousarray(batch.transpose(0, 3, 1, 2), dtype=np.float32)
    answer = session.run(None, {"pixels": pixels})[0]
    return answer.transpose(0, 2, 3, 1) if answer.ndim == 4 else answer
