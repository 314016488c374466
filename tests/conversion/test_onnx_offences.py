"""Every planted fault of a file is named at once: node, module, what it is, what is allowed, what to do."""

import math
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx_graphs import GraphBuilder

from qana.conversion.export_onnx import export_onnx
from qana.conversion.onnx_to_keras import graph_offences
from qana.errors import QanaError

GOLDEN = Path(__file__).parent / "golden"
HEIGHT, WIDTH = 16, 20


def same(graph, x, out_channels, in_channels, **attributes):
    return graph.conv(x, out_channels, in_channels, pads=[1, 1, 1, 1], **attributes)


def relu6(graph, x):
    return graph.clip(x, 0.0, 6.0)


def legal(graph, generation, x="pixels"):
    """Stem, pair, pooled body, head: what both generations run, each in its own order."""
    x = relu6(graph, graph.conv(x, 8, 3, strides=[2, 2], pads=[0, 0, 1, 1]))
    x = same(graph, x, 8, 8, group=8)
    x = relu6(graph, graph.conv(x if generation == 1 else relu6(graph, x), 8, 8, (1, 1)))
    return ended(graph, generation, same(graph, x, 8, 8), 8)


def ended(graph, generation, x, features):
    if generation == 1:
        x = relu6(graph, graph.node("GlobalAveragePool", x))
    else:
        x = graph.node("GlobalAveragePool", relu6(graph, x))
    return graph.gemm(graph.node("Flatten", x), 4, features)


def stem(graph, **attributes):
    chosen = {"strides": [2, 2], "pads": [0, 0, 1, 1], **attributes}
    return graph.conv("pixels", 8, 3, **chosen)


def whole(graph, generation, x, channels=8):
    """A legal end behind `x`."""
    x = relu6(graph, graph.conv(x, 8, channels, (1, 1)))
    return ended(graph, generation, same(graph, x, 8, 8), 8)


@pytest.mark.parametrize("generation", [1, 2])
def test_legal_network_has_no_offence(generation):
    graph = GraphBuilder(HEIGHT, WIDTH)
    assert graph_offences(graph.model(legal(graph, generation)), generation) == []


@pytest.mark.parametrize("generation", [1, 2])
@pytest.mark.parametrize("family", ["qana", "akidanet"])
def test_networks_of_ours_have_no_offence(exported, family, generation):
    assert graph_offences(onnx.load(str(exported(family, generation)[1])), generation) == []


def symmetric_pads(graph, generation):
    return whole(graph, generation, relu6(graph, stem(graph, pads=[1, 1, 1, 1])))


def pads_of_2_and_0(graph, generation):
    return whole(graph, generation, relu6(graph, stem(graph, strides=[1, 1], pads=[2, 2, 0, 0])))


def stride_3(graph, generation):
    x = relu6(graph, stem(graph))
    return whole(graph, generation, relu6(graph, graph.conv(x, 8, 8, strides=[3, 3], pads=[1, 0, 1, 1])))


def dilation(graph, generation):
    return whole(
        graph, generation, relu6(graph, stem(graph, strides=[1, 1], dilations=[2, 2], pads=[2, 2, 2, 2]))
    )


def groups(graph, generation):
    return whole(graph, generation, relu6(graph, same(graph, relu6(graph, stem(graph)), 8, 8, group=2)))


def sigmoid_gate(graph, generation):
    x = relu6(graph, stem(graph))
    gate = graph.node("Sigmoid", graph.conv(graph.node("GlobalAveragePool", x), 8, 8, (1, 1)))
    return whole(graph, generation, graph.node("Mul", x, gate))


def softmax(graph, generation):
    return graph.node("Softmax", legal(graph, generation))


def shuffled_channels(graph, generation):
    x = graph.node("Reshape", relu6(graph, stem(graph)), graph.integers(1, 2, 4, 8, 10))
    x = graph.node("Reshape", graph.node("Transpose", x, perm=[0, 2, 1, 3, 4]), graph.integers(1, 8, 8, 10))
    return whole(graph, generation, x)


def upsampling(graph, generation):
    x = graph.node("Resize", relu6(graph, stem(graph)), "", graph.constant([1.0, 1.0, 2.0, 2.0]))
    return whole(graph, generation, x)


def average_pool(graph, generation):
    x = graph.node("AveragePool", relu6(graph, stem(graph)), kernel_shape=[2, 2], strides=[2, 2])
    return whole(graph, generation, x)


def reflected_pads(graph, generation):
    pads = graph.integers(0, 0, 0, 0, 0, 0, 1, 1)
    x = graph.node("Pad", "pixels", pads, mode="reflect")
    return whole(graph, generation, relu6(graph, graph.conv(x, 8, 3, strides=[2, 2])))


def cropped(graph, generation):
    x = graph.node("Pad", relu6(graph, stem(graph)), graph.integers(0, 0, -1, 0, 0, 0, 0, 0))
    return whole(graph, generation, x)


def pad_that_an_addition_reads(graph, generation):
    x = relu6(graph, stem(graph))
    x = graph.node("Pad", x, graph.integers(0, 0, 1, 1, 0, 0, 1, 1))
    return whole(graph, generation, graph.node("Add", graph.conv(x, 8, 8), graph.conv(x, 8, 8, (3, 3))))


def norm_in_training(graph, generation):
    x = stem(graph, bias=False)
    parameters = [graph.constant(np.ones(8)) for _ in range(4)]
    outputs = ["trained", "mean", "variance"]
    node = onnx.helper.make_node(
        "BatchNormalization", [x, *parameters], outputs, name="/norm", training_mode=1
    )
    graph.nodes.append(node)
    return whole(graph, generation, relu6(graph, "trained"))


def norm_behind_a_relu(graph, generation):
    x = relu6(graph, stem(graph))
    x = graph.node("MaxPool", graph.norm(x, 8), kernel_shape=[2, 2], strides=[2, 2])
    return whole(graph, generation, x)


def not_a_number(graph, generation):
    output = legal(graph, generation)
    graph.constants["0.conv.weight"][1, 2, 0, 1] = math.nan
    return output


def double_precision(graph, generation):
    weight = graph.constant(graph.random.normal(0, 1, (8, 3, 3, 3)), "0.conv.weight", np.float64)
    x = graph.node("Conv", graph.node("Cast", "pixels", to=TensorProto.DOUBLE), weight, kernel_shape=[3, 3])
    return whole(graph, generation, relu6(graph, graph.node("Cast", x, to=TensorProto.FLOAT)))


def quantized_already(graph, generation):
    scale, zero = graph.constant(0.1), graph.constant(0, dtype=np.uint8)
    x = graph.node("QuantizeLinear", relu6(graph, stem(graph)), scale, zero)
    return whole(graph, generation, graph.node("DequantizeLinear", x, scale, zero))


def all_zero_layer(graph, generation):
    output = legal(graph, generation)
    graph.constants["0.conv.weight"][:] = 0.0
    return output


def map_as_output(graph, generation):
    return relu6(graph, stem(graph))


def even_kernel(graph, generation):
    return whole(
        graph,
        generation,
        relu6(graph, graph.conv(relu6(graph, stem(graph)), 8, 8, (2, 2), pads=[0, 0, 1, 1])),
    )


def oblong_kernel(graph, generation):
    return whole(
        graph,
        generation,
        relu6(graph, graph.conv(relu6(graph, stem(graph)), 8, 8, (3, 5), pads=[1, 2, 1, 2])),
    )


def strided_pointwise(graph, generation):
    x = relu6(graph, stem(graph))
    return whole(
        graph, generation, relu6(graph, graph.conv(x, 8, 8, (7, 7), strides=[2, 2], pads=[2, 2, 3, 3]))
    )


def unpadded_body(graph, generation):
    return whole(graph, generation, relu6(graph, graph.conv(relu6(graph, stem(graph)), 8, 8)))


def depthwise_first(graph, generation):
    return whole(graph, generation, relu6(graph, same(graph, "pixels", 3, 3, group=3)), 3)


def negative_clip(graph, generation):
    return whole(graph, generation, graph.clip(stem(graph), -1.0, 1.0))


def leaky(graph, generation):
    return whole(graph, generation, graph.node("LeakyRelu", stem(graph), alpha=0.1))


def large_pool(graph, generation):
    x = relu6(graph, stem(graph))
    return whole(
        graph, generation, graph.node("MaxPool", x, kernel_shape=[4, 4], strides=[2, 2], pads=[1, 1, 1, 1])
    )


def pool_on_the_image(graph, generation):
    x = graph.node("MaxPool", "pixels", kernel_shape=[2, 2], strides=[2, 2])
    return whole(graph, generation, relu6(graph, same(graph, x, 8, 3)))


BOTH = [
    (
        symmetric_pads,
        r"/conv_0 \(Conv\): pads \(1, 1, 1, 1\) at stride 2 on 16x20",
        "ZeroPad2d((0, 1, 0, 1))",
    ),
    (pads_of_2_and_0, r"pads \(2, 2, 0, 0\) at stride 1", "ZeroPad2d((1, 1, 1, 1))"),
    (stride_3, r"/conv_2 \(Conv\): a 3x3 kernel at stride 3", "stride 1 or 2"),
    (dilation, r"dilations \(2, 2\)", "dilation=1"),
    (groups, r"2 groups over 8 channels in, 8 out", "groups=1"),
    (sigmoid_gate, r"/sigmoid_4 \(Sigmoid\)", "remove the gate"),
    (sigmoid_gate, r"/mul_5 \(Mul\)", "build it from convolutions"),
    (softmax, r"/softmax_\d+ \(Softmax\)", "export the network without it"),
    (shuffled_channels, r"/transpose_3 \(Transpose\)", "keep the channels"),
    (upsampling, r"\(Resize\)", "strided convolutions"),
    (average_pool, r"\(AveragePool\)", "max pool"),
    (reflected_pads, r"/pad_0 \(Pad\): a pad other than constant pads of the map", "pad with zeros"),
    (cropped, r"\(Pad\): a pad other than constant", "pad with zeros"),
    (norm_in_training, r"/norm \(BatchNormalization\)", "in evaluation mode"),
    (
        norm_behind_a_relu,
        r"\(BatchNormalization\): a factor or summand per channel",
        "directly behind a conv",
    ),
    (
        not_a_number,
        r"/conv_0 \(Conv\): weights that are not finite: 1 of 216 in 0.conv.weight",
        "train again",
    ),
    (double_precision, r"\(Conv\): weights 0.conv.weight of type float64", "float32"),
    (double_precision, r"\(Cast\)", "build it from"),
    (quantized_already, r"\(QuantizeLinear\)", "give the float network"),
    (all_zero_layer, r"/conv_0 \(Conv\): a layer whose weights are all zero", "train it"),
    (map_as_output, r"an output of shape \(8, 10, 8\)", "global average pool and a dense layer"),
    (even_kernel, r"a 2x2 kernel at stride 1", "3x3"),
    (oblong_kernel, r"a 3x5 kernel at stride 1", "3x3"),
    (strided_pointwise, r"a 7x7 kernel at stride 2", "3x3"),
    (unpadded_body, r"a 3x3 kernel without pads behind the first layer", "padding=1"),
    (depthwise_first, r"a (Depthwise|Separable)Conv2D on the image", "3x3 convolution"),
    (negative_clip, r"a clip to \[-1, 1\]", "ReLU6"),
    (leaky, r"\(LeakyRelu\)", "ReLU6"),
    (large_pool, r"\(MaxPool\): (a|windows) 4x4", "2x2 max pool"),
    (pool_on_the_image, r"a (max pool behind the image|MaxPool2D on the image)", "convolution"),
]


@pytest.mark.parametrize("generation", [1, 2])
@pytest.mark.parametrize(("build", "found", "rewrite"), BOTH, ids=[f"{case[0].__name__}" for case in BOTH])
def test_planted_fault_is_named_for_both_generations(build, found, rewrite, generation):
    graph = GraphBuilder(HEIGHT, WIDTH)
    assert_named(graph_offences(graph.model(build(graph, generation)), generation), found, rewrite)


def assert_named(offences, found, rewrite):
    named = [offence for offence in offences if re.search(found, offence.found)]
    assert named, [offence.found for offence in offences]
    assert rewrite in named[0].rewrite
    assert named[0].allowed
    assert named[0].module


def unbounded_relu(graph):
    return whole(graph, 1, graph.node("Relu", stem(graph)))


def lone_depthwise(graph):
    x = same(graph, relu6(graph, stem(graph)), 8, 8, group=8)
    return whole(graph, 1, relu6(graph, x))


def addition(graph):
    x = relu6(graph, stem(graph))
    return whole(graph, 1, graph.node("Add", x, relu6(graph, same(graph, x, 8, 8))))


def concatenation(graph):
    x = relu6(graph, stem(graph))
    return whole(graph, 1, graph.node("Concat", x, relu6(graph, same(graph, x, 8, 8)), axis=1), 16)


def pool_behind_the_relu(graph):
    x = relu6(graph, same(graph, relu6(graph, stem(graph)), 8, 8))
    return graph.gemm(graph.node("Flatten", graph.node("GlobalAveragePool", x)), 4, 8)


def pool_without_a_relu(graph):
    x = same(graph, relu6(graph, stem(graph)), 8, 8)
    return graph.gemm(graph.node("Flatten", graph.node("GlobalAveragePool", x)), 4, 8)


def no_relu(graph):
    return whole(graph, 1, same(graph, relu6(graph, stem(graph)), 8, 8))


def floor_pool_on_an_odd_map(graph):
    x = relu6(graph, same(graph, relu6(graph, stem(graph, strides=[1, 1], pads=[1, 1, 1, 1])), 8, 8))
    return whole(graph, 1, graph.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]))


def mean_per_channel(graph):
    x = graph.node("Sub", "pixels", graph.constant([[[120.0]], [[110.0]], [[100.0]]]))
    return legal(graph, 1, x)


def negative_mean(graph):
    return legal(graph, 1, graph.node("Add", "pixels", graph.constant(20.0)))


FIRST = [
    (unbounded_relu, "a ReLU without a bound", "ReLU6"),
    (lone_depthwise, "a depthwise convolution on its own", "remove the activation"),
    (addition, "an addition", "akida2"),
    (concatenation, "a concatenation", "akida2"),
    (pool_behind_the_relu, "a global pool behind the ReLU", "pool before the ReLU"),
    (pool_without_a_relu, "a global pool without a ReLU", "put a ReLU"),
    (no_relu, "no ReLU behind it", "put a ReLU"),
    (
        floor_pool_on_an_odd_map,
        "a max pool with padding valid behind a convolution with padding same on 17x21",
        "ceil_mode=True",
    ),
    (mean_per_channel, r"from which \(120, 110, 100\) is subtracted", "one mean"),
    (negative_mean, r"from which \(-20, -20, -20\) is subtracted", "without an offset"),
]


@pytest.mark.parametrize(("build", "found", "rewrite"), FIRST, ids=[case[0].__name__ for case in FIRST])
def test_planted_fault_is_named_for_the_first_generation(build, found, rewrite):
    odd = build is floor_pool_on_an_odd_map
    graph = GraphBuilder(HEIGHT + odd, WIDTH + odd)
    assert_named(graph_offences(graph.model(build(graph)), 1), found, rewrite)


def pool_ahead_of_the_relu(graph):
    x = same(graph, relu6(graph, stem(graph)), 8, 8)
    return graph.gemm(graph.node("Flatten", relu6(graph, graph.node("GlobalAveragePool", x))), 4, 8)


def pool_on_a_strided_convolution(graph):
    x = graph.conv(relu6(graph, stem(graph)), 8, 8, strides=[2, 2], pads=[0, 0, 1, 1])
    return ended(graph, 2, x, 8)


def pool_on_a_depthwise_convolution(graph):
    return ended(graph, 2, same(graph, relu6(graph, stem(graph)), 8, 8, group=8), 8)


def max_pool_on_a_strided_convolution(graph):
    x = graph.conv(relu6(graph, stem(graph)), 8, 8, strides=[2, 2], pads=[0, 0, 1, 1])
    return whole(graph, 2, graph.node("MaxPool", relu6(graph, x), kernel_shape=[2, 2], strides=[2, 2]))


def max_pool_on_an_addition(graph):
    x = relu6(graph, stem(graph))
    x = graph.node("Add", x, relu6(graph, same(graph, x, 8, 8)))
    return whole(graph, 2, graph.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]))


def max_pool_before_a_dense_layer(graph):
    x = relu6(graph, same(graph, relu6(graph, stem(graph)), 8, 8))
    x = graph.node("Flatten", graph.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]))
    return graph.gemm(x, 4, 8 * 4 * 5)


def value_added_to_itself(graph):
    x = relu6(graph, stem(graph))
    return whole(graph, 2, graph.node("Add", x, x))


def linear_stem(graph):
    return whole(graph, 2, stem(graph))


SECOND = [
    (pool_ahead_of_the_relu, "a global pool ahead of the ReLU", "pool behind the ReLU"),
    (pool_on_a_strided_convolution, "a global pool on a strided convolution", "1x1 convolution"),
    (pool_on_a_depthwise_convolution, "a global pool on a depthwise convolution", "1x1 convolution"),
    (max_pool_on_a_strided_convolution, "a max pool behind a convolution at stride 2", "not both"),
    (max_pool_on_an_addition, "a max pool behind an addition", "1x1 convolution"),
    (max_pool_before_a_dense_layer, "a max pool before a dense layer", "global average pool"),
    (value_added_to_itself, "a value added to itself", "double"),
    (linear_stem, "no ReLU behind it", "put a ReLU"),
]


@pytest.mark.parametrize(("build", "found", "rewrite"), SECOND, ids=[case[0].__name__ for case in SECOND])
def test_planted_fault_is_named_for_the_second_generation(build, found, rewrite):
    graph = GraphBuilder(HEIGHT, WIDTH)
    assert_named(graph_offences(graph.model(build(graph)), 2), found, rewrite)


@pytest.mark.parametrize(("generation", "most", "side"), [(1, 255, 32), (2, 144, 26)])
def test_global_pool_over_too_large_a_map_is_named(generation, most, side):
    graph = GraphBuilder(side, side)
    offences = graph_offences(graph.model(legal(graph, generation)), generation)
    found = f"a global pool over {side // 2}x{side // 2} = {(side // 2) ** 2} positions"
    assert [found in offence.found for offence in offences] == [True]
    assert f"at most {most} positions" in offences[0].allowed


def test_all_faults_are_named_at_once_in_the_order_of_the_file():
    graph = GraphBuilder(HEIGHT, WIDTH)
    x = graph.node("LeakyRelu", stem(graph, pads=[1, 1, 1, 1]))
    x = graph.conv(x, 8, 8, dilations=[2, 2], pads=[2, 2, 2, 2])
    x = graph.node("Sigmoid", graph.conv(x, 8, 8, group=4))
    x = graph.conv(x, 8, 8, strides=[3, 3], pads=[1, 1, 1, 1])
    logits = whole(graph, 2, x)
    second = graph.gemm(graph.node("Flatten", graph.node("GlobalAveragePool", x)), 2, 8)
    graph.constants["0.conv.weight"][0, 0, 0, 0] = np.inf
    found = [offence.found for offence in graph_offences(graph.model(logits, second), 2)]
    for fault in (
        "2 outputs",
        "pads (1, 1, 1, 1)",
        "LeakyRelu",
        "dilations",
        "4 groups",
        "Sigmoid",
        "stride 3",
    ):
        assert any(fault in text for text in found), (fault, found)


@pytest.mark.parametrize(
    ("changes", "found", "allowed"),
    [
        ({"opset": 6}, "opset 6", "opset 7 to 23"),
        ({"batch": "N", "kind": TensorProto.DOUBLE}, "an input of type double", "float"),
        ({"height": "H"}, r"an input of shape (N, 3, H, 20)", "H and W as numbers"),
    ],
)
def test_faults_of_the_file_as_a_whole_are_named(changes, found, allowed):
    graph = GraphBuilder(HEIGHT, WIDTH, batch="N")
    model = graph.model(legal(graph, 2))
    if "opset" in changes:
        model.opset_import[0].version = changes["opset"]
    if "kind" in changes:
        model.graph.input[0].type.tensor_type.elem_type = changes["kind"]
    if "height" in changes:
        model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = changes["height"]
    offences = graph_offences(model, 2)
    assert [found in offence.found for offence in offences] == [True]
    assert allowed in offences[0].allowed


def test_open_image_size_does_not_hide_other_faults():
    graph = GraphBuilder(HEIGHT, WIDTH)
    model = graph.model(graph.node("Softmax", legal(graph, 2)))
    model.graph.input[0].type.tensor_type.shape.dim[3].dim_param = "W"
    found = [offence.found for offence in graph_offences(model, 2)]
    assert len(found) == 2
    assert "Softmax" in found[1]


def test_second_input_is_named():
    graph = GraphBuilder(HEIGHT, WIDTH)
    model = graph.model(legal(graph, 2))
    model.graph.input.append(onnx.helper.make_tensor_value_info("age", TensorProto.FLOAT, [1]))
    assert [offence.found for offence in graph_offences(model, 2)] == ["age: a second input"]


def test_file_that_is_no_network_is_refused():
    graph = GraphBuilder(HEIGHT, WIDTH)
    model = graph.model(legal(graph, 2))
    model.graph.node[0].input[0] = "nothing"
    with pytest.raises(QanaError, match="not a valid network") as refusal:
        graph_offences(model, 2)
    assert refusal.value.where == "onnx"
    assert "check_model" in refusal.value.allowed
    assert "export it again" in refusal.value.fix


def gated():
    from torch import nn

    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, padding=1), nn.ReLU6())
            self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1), nn.Sigmoid())
            self.body = nn.Sequential(nn.Conv2d(8, 8, 3, padding=2, dilation=2), nn.ReLU6())
            self.head = nn.Linear(8, 4)

        def forward(self, x):
            x = self.stem(x)
            x = self.body(x * self.gate(x))
            return self.head(x.mean((2, 3)))

    return Gated()


def test_modules_of_torch_are_named(tmp_path):
    export_onnx(gated(), (HEIGHT, WIDTH, 3), tmp_path / "gated.onnx")
    offences = graph_offences(onnx.load(tmp_path / "gated.onnx"), 2)
    named = {offence.module: offence.found for offence in offences}
    assert "pads (1, 1, 1, 1)" in named["stem.0"]
    assert "Sigmoid" in named["gate.2"]
    assert "dilations (2, 2)" in named["body.0"]
    assert sum("(Mul)" in offence.found for offence in offences) == 1


def test_file_of_torchs_dynamo_exporter_names_its_modules():
    model = onnx.load(GOLDEN / "torch_dynamo.onnx")
    assert graph_offences(model, 2) == []
    offences = graph_offences(model, 1)
    named = {offence.module: offence.found for offence in offences}
    assert list(named) == ["(network)", "features.4", "node_mean"]
    assert "image: a padded first convolution" in named["(network)"]
    assert "a depthwise convolution on its own" in named["features.4"]
    assert "a global pool behind the ReLU" in named["node_mean"]
