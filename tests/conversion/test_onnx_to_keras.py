"""Every node that is imported computes what ONNX Runtime computes; every other one is refused by name."""

import conversions
import numpy as np
import onnx
import pytest
import tf_keras as keras
from onnx_graphs import GraphBuilder, run_onnx

from qana.backbone.padding import same_padding
from qana.conversion.onnx_to_keras import onnx_to_keras
from qana.errors import QanaError

# Sums of up to 75 products of order 100 in float32, in another order: a few units of the last place.
TOLERANCE = {"rtol": 1e-5, "atol": 1e-3}
NATIVE = {
    "Add",
    "Concatenate",
    "Conv2D",
    "Dense",
    "DepthwiseConv2D",
    "GlobalAveragePooling2D",
    "InputLayer",
    "MaxPooling2D",
    "ReLU",
    "Rescaling",
    "SeparableConv2D",
}


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


def same_pads(height, width, kernel, stride):
    (top, bottom), (left, right) = (
        same_padding(length, size, stride) for length, size in zip((height, width), kernel, strict=True)
    )
    return [top, left, bottom, right]


def assert_computes_the_same(graph, output, generation=2):
    model = graph.model(output)
    imported = onnx_to_keras(model, generation=generation)
    batch = conversions.images(3, seed=5, height=graph.shape[0], width=graph.shape[1])
    expected = run_onnx(model, batch)
    assert np.ptp(expected) > 1.0  # something to tell apart
    found = imported(batch, training=False).numpy()  # called: a graph would take longer to trace
    np.testing.assert_allclose(found.reshape(expected.shape), expected, **TOLERANCE)
    assert set(kinds(imported)) <= NATIVE
    return imported


@pytest.mark.parametrize(("height", "width"), [(12, 18), (11, 17), (12, 17)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [(3, 3), (5, 5), (1, 1), (3, 5)])
def test_same_padded_convolution_equals_onnx_runtime(height, width, stride, kernel):
    graph = GraphBuilder(height, width)
    pads = same_pads(height, width, kernel, stride)
    output = graph.conv("pixels", 5, 3, kernel, strides=[stride, stride], pads=pads)
    assert_computes_the_same(graph, output)


@pytest.mark.parametrize("stride", [1, 2])
def test_convolution_that_pads_by_name_equals_onnx_runtime(stride):
    graph = GraphBuilder(12, 17)
    output = graph.conv("pixels", 5, 3, strides=[stride, stride], auto_pad="SAME_UPPER")
    assert_computes_the_same(graph, output)


@pytest.mark.parametrize("bias", [True, False])
def test_unpadded_convolution_equals_onnx_runtime(bias):
    graph = GraphBuilder(12, 17)
    output = graph.conv("pixels", 5, 3, strides=[2, 2], bias=bias)
    imported = assert_computes_the_same(graph, output)
    assert imported.layers[-1].padding == "valid"


@pytest.mark.parametrize(("height", "width"), [(12, 18), (11, 17)])
@pytest.mark.parametrize("stride", [1, 2])
def test_depthwise_convolution_equals_onnx_runtime(height, width, stride):
    graph = GraphBuilder(height, width)
    pads = same_pads(height, width, (3, 3), stride)
    output = graph.conv("pixels", 3, 3, group=3, strides=[stride, stride], pads=pads)
    imported = assert_computes_the_same(graph, output)
    assert kinds(imported)[-1] == "DepthwiseConv2D"


@pytest.mark.parametrize("activation", ["clip", "relu"])
def test_activation_equals_onnx_runtime(activation):
    graph = GraphBuilder(9, 14)
    x = graph.conv("pixels", 4, 3, pads=[1, 1, 1, 1])
    x = graph.clip(x, 0.0, 40.0) if activation == "clip" else graph.node("Relu", x)
    imported = assert_computes_the_same(graph, x)
    assert imported.layers[-1].max_value == (40.0 if activation == "clip" else None)


@pytest.mark.parametrize(("height", "width"), [(12, 18), (11, 17)])
@pytest.mark.parametrize("ceil_mode", [0, 1])
def test_max_pool_equals_onnx_runtime(height, width, ceil_mode):
    graph = GraphBuilder(height, width)
    x = graph.conv("pixels", 4, 3, pads=[1, 1, 1, 1])
    x = graph.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=ceil_mode)
    assert_computes_the_same(graph, x)


def test_overlapping_max_pool_in_ceil_mode_equals_onnx_runtime():
    graph = GraphBuilder(12, 18)
    output = graph.node("MaxPool", "pixels", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    assert_computes_the_same(graph, output)


@pytest.mark.parametrize("transposed", [True, False])
def test_global_pool_flatten_and_dense_equal_onnx_runtime(transposed):
    graph = GraphBuilder(9, 14)
    x = graph.conv("pixels", 6, 3, pads=[1, 1, 1, 1])
    x = graph.node("Flatten", graph.node("GlobalAveragePool", x))
    assert_computes_the_same(graph, graph.gemm(x, 4, 6, transposed=transposed))


def test_branches_that_are_added_and_concatenated_equal_onnx_runtime():
    graph = GraphBuilder(9, 14)
    x = graph.node("Identity", graph.conv("pixels", 6, 3, pads=[1, 1, 1, 1]))
    y = graph.conv(x, 6, 6, group=6, pads=[1, 1, 1, 1])
    z = graph.node("Add", x, y)
    assert_computes_the_same(graph, graph.node("Concat", z, x, y, axis=1))


def depthwise_and_pointwise(graph, *, bias_between=False):
    x = graph.clip(graph.conv("pixels", 4, 3, pads=[1, 1, 1, 1]), 0.0, 64.0)
    x = graph.conv(
        x, 4, 4, group=4, strides=[2, 2], pads=same_pads(*graph.shape[:2], (3, 3), 2), bias=bias_between
    )
    return graph.conv(x, 7, 4, (1, 1))


def test_generation_1_fuses_depthwise_and_pointwise():
    graph = GraphBuilder(12, 17)
    imported = assert_computes_the_same(graph, depthwise_and_pointwise(graph), generation=1)
    assert kinds(imported)[-1] == "SeparableConv2D"
    assert "DepthwiseConv2D" not in kinds(imported)


def test_generation_2_keeps_depthwise_and_pointwise_apart():
    graph = GraphBuilder(12, 17)
    imported = assert_computes_the_same(graph, depthwise_and_pointwise(graph), generation=2)
    assert kinds(imported)[-2:] == ["DepthwiseConv2D", "Conv2D"]


def test_generation_1_takes_a_bias_between_depthwise_and_pointwise_through_the_pointwise():
    graph = GraphBuilder(12, 17)
    imported = assert_computes_the_same(
        graph, depthwise_and_pointwise(graph, bias_between=True), generation=1
    )
    assert kinds(imported)[-1] == "SeparableConv2D"


def test_generation_1_does_not_fuse_a_depthwise_convolution_that_others_read():
    graph = GraphBuilder(9, 14)
    x = graph.conv("pixels", 3, 3, group=3, pads=[1, 1, 1, 1], bias=False)
    output = graph.node("Add", graph.conv(x, 3, 3, (1, 1)), x)
    assert "SeparableConv2D" not in kinds(assert_computes_the_same(graph, output, generation=1))


def test_generation_1_does_not_fuse_a_strided_pointwise_convolution():
    graph = GraphBuilder(9, 14)
    x = graph.conv("pixels", 3, 3, group=3, pads=[1, 1, 1, 1], bias=False)
    output = graph.conv(x, 5, 3, (1, 1), strides=[2, 2])
    assert "SeparableConv2D" not in kinds(assert_computes_the_same(graph, output, generation=1))


@pytest.mark.parametrize("generation", [1, 2])
@pytest.mark.parametrize("family", ["qana", "akidanet"])
def test_exported_network_becomes_native_layers_that_compute_the_same(exported, family, generation):
    path = exported(family, generation)[1]
    imported = onnx_to_keras(onnx.load(str(path)), generation=generation)
    batch = conversions.images(4, seed=5)
    expected = run_onnx(onnx.load(str(path)), batch)
    assert np.ptp(expected, axis=0).min() > 0.1
    np.testing.assert_allclose(imported.predict_on_batch(batch), expected, rtol=1e-4, atol=1e-4)
    assert set(kinds(imported)) <= NATIVE
    assert ("SeparableConv2D" in kinds(imported)) == (generation == 1)


def test_imported_network_takes_pixels_as_they_are_stored(exported):
    imported = onnx_to_keras(onnx.load(str(exported("qana", 2)[1])), generation=2)
    assert imported.input.dtype == "uint8"
    assert imported.input_shape == (None, conversions.HEIGHT, conversions.WIDTH, 3)


def test_imported_network_survives_a_round_trip_through_a_file(exported, tmp_path):
    imported = onnx_to_keras(onnx.load(str(exported("qana", 2)[1])), generation=2)
    with conversions.quiet():
        imported.save(tmp_path / "model.h5", save_format="h5")
    batch = conversions.images(2, seed=6)
    again = keras.models.load_model(tmp_path / "model.h5")
    np.testing.assert_array_equal(again.predict_on_batch(batch), imported.predict_on_batch(batch))


def refused_symmetric_padding(graph):
    return [graph.conv("pixels", 4, 3, strides=[2, 2], pads=[1, 1, 1, 1])]


def refused_dilation(graph):
    return [graph.conv("pixels", 4, 3, dilations=[2, 2], pads=[2, 2, 2, 2])]


def refused_unpadded_dilation(graph):
    return [graph.conv("pixels", 4, 3, dilations=[2, 2])]


def refused_dilation_in_a_pair(graph):
    x = graph.conv("pixels", 3, 3, group=3, dilations=[2, 2], bias=False)
    return [graph.conv(x, 4, 3, (1, 1))]


def refused_groups(graph):
    x = graph.conv("pixels", 4, 3, (1, 1))
    return [graph.conv(x, 4, 4, (1, 1), group=2)]


def refused_multiplier(graph):
    return [graph.conv("pixels", 6, 3, (1, 1), group=3)]


def refused_sigmoid(graph):
    return [graph.node("Sigmoid", graph.node("Tanh", "pixels"))]


def refused_second_output(graph):
    return [graph.conv("pixels", 4, 3), graph.conv("pixels", 5, 3)]


def refused_not_a_number(graph):
    output = graph.conv("pixels", 4, 3, bias=False)
    graph.constants["0.conv.weight"][1, 2, 0, 1] = np.nan
    return [output]


def refused_infinite_bias(graph):
    output = graph.conv("pixels", 4, 3)
    graph.constants["constant.1.value"][2] = np.inf
    return [output]


def refused_low_bound(graph):
    return [graph.clip(graph.conv("pixels", 4, 3), -1.0, 1.0)]


def refused_computed_weight(graph):
    kernel = graph.node("Identity", "pixels")
    return [graph.node("Conv", "pixels", kernel, kernel_shape=[3, 3])]


def refused_computed_bias(graph):
    bias = graph.node("Identity", "pixels")
    return [graph.node("Conv", "pixels", graph.weight(4, 3, 3, 3), bias, kernel_shape=[3, 3])]


def refused_constant_addend(graph):
    return [graph.node("Add", "pixels", graph.constant(np.ones((3, 1, 1))))]


def refused_concatenated_rows(graph):
    return [graph.node("Concat", "pixels", "pixels", axis=2)]


REFUSED = [
    (
        refused_symmetric_padding,
        r"/conv_0 \(Conv\) in module 0.conv: pads \(1, 1, 1, 1\) at stride 2 on 12x18; "
        r"the chip pads \(0, 0, 1, 1\)",
    ),
    (refused_dilation, r"/conv_0 \(Conv\).*: dilations \(2, 2\), other than 1"),
    (refused_unpadded_dilation, r"/conv_0 \(Conv\).*: dilations \(2, 2\), other than 1"),
    (refused_dilation_in_a_pair, r"/conv_0 \(Conv\).*: dilations \(2, 2\), other than 1"),
    (refused_groups, r"/conv_1 \(Conv\).*: 2 groups over 4 channels in, 4 out"),
    (refused_multiplier, r"/conv_0 \(Conv\).*: 3 groups over 3 channels in, 6 out"),
    (refused_sigmoid, r"/tanh_0 \(Tanh\): the operation Tanh, /sigmoid_1 \(Sigmoid\)"),
    (refused_second_output, r"conv_0, conv_1: 2 outputs"),
    (refused_not_a_number, r"/conv_0 \(Conv\).*: weights that are not finite: 1 of 108 in 0.conv.weight"),
    (refused_infinite_bias, r"/conv_0 \(Conv\).*: weights that are not finite: 1 of 4 in constant.1.value"),
    (refused_low_bound, r"/clip_1 \(Clip\): a clip to \[-1, 1\]"),
    (refused_computed_weight, r"/conv_1 \(Conv\): weights that are computed"),
    (refused_computed_bias, r"/conv_1 \(Conv\).*: weights that are computed"),
    (refused_constant_addend, r"/add_0 \(Add\): a factor or summand per channel"),
    (refused_concatenated_rows, r"/concat_0 \(Concat\): an axis other than the channels"),
]


@pytest.mark.parametrize("generation", [1, 2])
@pytest.mark.parametrize(("build", "named"), REFUSED, ids=[build.__name__ for build, _ in REFUSED])
def test_node_without_an_exact_counterpart_is_refused_by_name(build, named, generation):
    graph = GraphBuilder(12, 18)
    model = graph.model(*build(graph))
    with pytest.raises(QanaError, match=named) as refusal:
        onnx_to_keras(model, generation=generation)
    assert refusal.value.where == "backbone"
    assert "GlobalAveragePool" in refusal.value.allowed
    assert "qana.backbone.unit" in refusal.value.fix
