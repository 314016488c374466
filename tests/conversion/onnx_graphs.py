"""ONNX graphs written by hand, and what ONNX Runtime says they compute."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
FLAT = ("flatten", "gemm", "matmul", "reshape", "squeeze")


class GraphBuilder:
    """A chain (or net) of nodes over one image input; every method gives the name of its output.

    Args:
        height: of the image.
        width: of the image.
        seed: of the weights.
        opset: of the operators.
        batch: first axis of the input, a number or a name.
        channels_last: whether the input is (N, H, W, 3).
        kind: element type of the input.
    """

    def __init__(
        self,
        height,
        width,
        seed=0,
        *,
        opset=OPSET,
        batch="batch",
        channels_last=False,
        kind=TensorProto.FLOAT,
    ):
        self.shape = (height, width, 3)
        self.opset, self.batch, self.channels_last, self.kind = opset, batch, channels_last, kind
        self.random = np.random.default_rng(seed)
        self.nodes, self.constants = [], {}

    def node(self, operation, *inputs, **attributes):
        output = f"{operation.lower()}_{len(self.nodes)}"
        node = helper.make_node(operation, list(inputs), [output], name=f"/{output}", **attributes)
        self.nodes.append(node)
        return output

    def constant(self, values, name=None, dtype=np.float32):
        name = name or f"constant.{len(self.constants)}.value"
        self.constants[name] = np.asarray(values, dtype=dtype)
        return name

    def integers(self, *values):
        return self.constant(values, dtype=np.int64)

    def norm(self, x, channels, **attributes):
        """Batch normalization with statistics of its own, some factors negative."""
        draw = self.random.uniform
        factors = draw(0.5, 1.5, channels) * self.random.choice([-1.0, 1.0], channels)
        parameters = [factors, draw(-9, 9, channels), draw(-30, 30, channels), draw(200, 900, channels)]
        return self.node("BatchNormalization", x, *map(self.constant, parameters), **attributes)

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
        image = [height, width, channels] if self.channels_last else [channels, height, width]
        pixels = helper.make_tensor_value_info("pixels", self.kind, [self.batch, *image])
        results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, axes(name)) for name in outputs]
        constants = [numpy_helper.from_array(array, name) for name, array in self.constants.items()]
        graph = helper.make_graph(self.nodes, "graph", [pixels], results, initializer=constants)
        opsets = [helper.make_opsetid("", self.opset)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        onnx.checker.check_model(model)
        return model


def axes(output):
    """Symbolic shape of a value: flat behind Flatten, Gemm and the like, a map elsewhere."""
    count = 2 if output.startswith(FLAT) else 4
    return [f"{output}.{axis}" for axis in range(count)]


def run_onnx(model, batch, channels_last=False):
    """Outputs of ONNX Runtime as the graph is written, without any rewriting, image by image, in NHWC."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    image = session.get_inputs()[0]
    turned = batch if channels_last else batch.transpose(0, 3, 1, 2)
    pixels = np.ascontiguousarray(turned, dtype=np.uint8 if image.type == "tensor(uint8)" else np.float32)
    answer = np.concatenate([session.run(None, {image.name: one[np.newaxis]})[0] for one in pixels])
    return answer.transpose(0, 2, 3, 1) if answer.ndim == 4 else answer
