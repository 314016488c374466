"""However a file spells a legal network, what is imported computes what ONNX Runtime computes."""

from pathlib import Path

import conversions
import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx_graphs import GraphBuilder, run_onnx

from qana.conversion.onnx_to_keras import onnx_to_keras, plan_layers

# Weights are rounded anew where factors fold into them; relative to the largest value.
TOLERANCE = 2e-6
GOLDEN = Path(__file__).parent / "golden"
ENDS = ((0.5, 2), (-3, 3), (-1, 1), (1, 4))  # factors, summands, means, variances of a norm


def kinds(model):
    return [type(layer).__name__ for layer in model.layers][2:]  # behind the input and its rescaling


def imported_like_onnx(graph, *outputs, generation=2):
    """The imported network, after its outputs were found equal to those of ONNX Runtime."""
    model = graph.model(*outputs)
    imported = onnx_to_keras(model, generation=generation)
    batch = conversions.images(3, seed=5, height=graph.shape[0], width=graph.shape[1])
    expected = run_onnx(model, batch, graph.channels_last)
    found = imported(batch, training=False).numpy().reshape(expected.shape)
    assert np.ptp(expected, axis=0).max() > 1e-3  # something to tell apart
    assert np.abs(found - expected).max() <= TOLERANCE * np.abs(expected).max()
    return imported


def body(graph, channels=6):
    return graph.clip(graph.conv("pixels", channels, 3, pads=[1, 1, 1, 1]), 0.0, 90.0)


def head(graph, x, features=6):
    return graph.gemm(x, 4, features)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("group", [1, 3])
def test_norm_behind_a_convolution_folds_into_it(bias, group):
    graph = GraphBuilder(9, 14)
    x = graph.conv("pixels", 3, 3, group=group, bias=bias, pads=[1, 1, 1, 1])
    imported = imported_like_onnx(graph, graph.norm(x, 3, epsilon=1e-3))
    assert len(kinds(imported)) == 1


def test_norm_behind_a_dense_layer_folds_into_it():
    graph = GraphBuilder(9, 14)
    x = graph.gemm(graph.node("Flatten", graph.node("GlobalAveragePool", body(graph))), 5, 6)
    x = graph.node("BatchNormalization", x, *(graph.constant(np.linspace(*ends, 5)) for ends in ENDS))
    imported = imported_like_onnx(graph, graph.gemm(x, 3, 5))
    assert kinds(imported)[-3:] == ["GlobalAveragePooling2D", "Dense", "Dense"]


def test_norm_behind_a_global_pool_folds_through_it_whatever_its_signs():
    graph = GraphBuilder(9, 14)
    x = graph.node("GlobalAveragePool", graph.conv("pixels", 6, 3, pads=[1, 1, 1, 1]))
    imported = imported_like_onnx(graph, graph.norm(x, 6))
    assert kinds(imported) == ["Conv2D", "GlobalAveragePooling2D"]


def test_norm_behind_a_max_pool_folds_through_it_where_all_factors_are_positive():
    graph = GraphBuilder(8, 14)
    x = graph.conv("pixels", 6, 3, pads=[1, 1, 1, 1])
    x = graph.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    parameters = [graph.constant(np.linspace(*ends, 6)) for ends in ENDS]
    imported = imported_like_onnx(graph, graph.node("BatchNormalization", x, *parameters))
    assert kinds(imported) == ["Conv2D", "MaxPooling2D"]


@pytest.mark.parametrize("shape", [(), (1,), (6, 1, 1), (1, 6, 1, 1)])
@pytest.mark.parametrize("operation", ["Add", "Sub", "Mul", "Div"])
def test_arithmetic_with_constants_behind_a_convolution_folds_into_it(operation, shape):
    graph = GraphBuilder(9, 14)
    x = graph.conv("pixels", 6, 3, pads=[1, 1, 1, 1])
    values = np.random.default_rng(3).uniform(0.5, 3.0, shape) * 10
    imported = imported_like_onnx(graph, graph.node(operation, x, graph.constant(values)))
    assert kinds(imported) == ["Conv2D"]


@pytest.mark.parametrize("operation", ["Add", "Sub", "Mul"])
def test_constant_may_come_first(operation):
    graph = GraphBuilder(9, 14)
    x = graph.conv("pixels", 6, 3, pads=[1, 1, 1, 1])
    values = graph.constant(np.linspace(2.0, 30.0, 6).reshape(6, 1, 1))
    assert kinds(imported_like_onnx(graph, graph.node(operation, values, x))) == ["Conv2D"]


@pytest.mark.parametrize("group", [1, 6])
def test_factor_behind_an_activation_folds_into_the_next_convolution(group):
    graph = GraphBuilder(9, 14)
    x = graph.node("Mul", body(graph), graph.constant(np.linspace(-2.0, 3.0, 6).reshape(6, 1, 1)))
    imported = imported_like_onnx(graph, graph.conv(x, 6, 6, group=group, pads=[1, 1, 1, 1]))
    assert len(kinds(imported)) == 3


def test_summand_behind_an_activation_folds_into_an_unpadded_convolution_with_groups():
    graph = GraphBuilder(9, 14)
    x = graph.node("Add", body(graph), graph.constant(np.linspace(-20.0, 30.0, 6).reshape(6, 1, 1)))
    imported = imported_like_onnx(graph, graph.conv(x, 6, 6, group=6, bias=False))
    assert len(kinds(imported)) == 3


def scaled(graph):
    """(pixels / 255 - mean) / std."""
    x = graph.node("Div", "pixels", graph.constant(255.0))
    x = graph.node("Sub", x, graph.constant(np.reshape([0.76, 0.55, 0.57], (1, 3, 1, 1))))
    return graph.node("Div", x, graph.constant(np.reshape([0.14, 0.15, 0.17], (1, 3, 1, 1))))


def test_input_scaling_folds_into_an_unpadded_convolution():
    graph = GraphBuilder(9, 14)
    imported = imported_like_onnx(graph, graph.conv(scaled(graph), 6, 3))
    assert imported.get_layer("to_float").get_config()["offset"] == 0.0


def test_input_scaling_ahead_of_pads_keeps_its_mean_as_the_value_around_the_image():
    graph = GraphBuilder(9, 14)
    imported = imported_like_onnx(graph, graph.conv(scaled(graph), 6, 3, pads=[1, 1, 1, 1]))
    rescaling = imported.get_layer("to_float").get_config()
    assert rescaling["scale"] == 1.0
    np.testing.assert_allclose(rescaling["offset"], [-0.76 * 255, -0.55 * 255, -0.57 * 255], rtol=1e-6)


def test_pad_ahead_of_the_input_scaling_pads_with_black():
    graph = GraphBuilder(8, 14)
    x = graph.node("Pad", "pixels", graph.integers(0, 0, 0, 0, 0, 0, 1, 1))
    x = graph.node("Sub", x, graph.constant(100.0))
    imported = imported_like_onnx(graph, graph.conv(x, 6, 3, strides=[2, 2]))
    assert imported.get_layer("to_float").get_config()["offset"] == 0.0
    assert imported.layers[-1].padding == "same"


@pytest.mark.parametrize("value", [True, False])
def test_pads_of_zeros_join_those_of_the_convolution(value):
    graph = GraphBuilder(8, 14)
    pads = [graph.integers(0, 0, 0, 0, 0, 0, 1, 1)]
    x = graph.node("Pad", "pixels", *pads, *([graph.constant(0.0)] if value else []))
    imported = imported_like_onnx(graph, graph.conv(x, 6, 3, strides=[2, 2]))
    assert imported.layers[-1].padding == "same"


def test_pads_by_axes_of_opset_18_join_those_of_two_convolutions():
    graph = GraphBuilder(8, 14, opset=18)
    x = graph.node("Pad", body(graph), graph.integers(1, 1, 1, 1), "", graph.integers(-2, 3))
    left, right = (graph.conv(x, 5, 6) for _ in range(2))
    assert kinds(imported_like_onnx(graph, graph.node("Add", left, right))).count("Conv2D") == 3


def test_pads_of_zeros_ahead_of_a_max_pool_do_not_count_behind_a_relu():
    graph = GraphBuilder(8, 14)
    x = graph.node("Pad", body(graph), graph.integers(0, 0, 0, 0, 0, 0, 1, 1))
    x = graph.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])
    assert imported_like_onnx(graph, x).layers[-1].padding == "same"


def test_pads_of_minus_infinity_ahead_of_a_max_pool_never_count():
    graph = GraphBuilder(8, 14)
    x = graph.conv("pixels", 5, 3, pads=[1, 1, 1, 1])
    lowest = graph.constant(-np.inf)
    x = graph.node("Pad", x, graph.integers(0, 0, 0, 0, 0, 0, 1, 1), lowest)
    x = graph.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])
    assert imported_like_onnx(graph, x).layers[-1].padding == "same"


def global_pool(graph, x):
    return graph.node("GlobalAveragePool", x)


def mean_by_attribute(graph, x):
    return graph.node("ReduceMean", x, axes=[-1, 2], keepdims=1)


def whole_average(graph, x):
    return graph.node("AveragePool", x, kernel_shape=list(graph.shape[:2]))


@pytest.mark.parametrize("pool", [global_pool, mean_by_attribute, whole_average])
@pytest.mark.parametrize("way", ["Flatten", "Reshape", "Reshape by shape", "Squeeze"])
def test_global_pool_and_what_flattens_it(pool, way):
    graph = GraphBuilder(9, 14)
    x = pool(graph, body(graph))
    if way == "Flatten":
        x = graph.node("Flatten", x, axis=1)
    elif way == "Reshape":
        x = graph.node("Reshape", x, graph.integers(-1, 6))
    elif way == "Squeeze":
        x = graph.node("Squeeze", x, graph.integers(2, 3))
    else:
        batch = graph.node("Gather", graph.node("Shape", x), graph.constant(0, dtype=np.int64), axis=0)
        batch = graph.node("Unsqueeze", batch, graph.integers(0))
        x = graph.node("Reshape", x, graph.node("Concat", batch, graph.integers(-1), axis=0))
    imported = imported_like_onnx(graph, head(graph, x))
    assert kinds(imported) == ["Conv2D", "ReLU", "GlobalAveragePooling2D", "Dense"]


def test_mean_that_drops_its_axes_needs_no_flattening():
    graph = GraphBuilder(9, 14, opset=18)
    x = graph.node("ReduceMean", body(graph), graph.integers(2, 3), keepdims=0)
    assert kinds(imported_like_onnx(graph, head(graph, x)))[-1] == "Dense"


def test_average_over_single_pixels_is_nothing():
    graph = GraphBuilder(9, 14)
    x = graph.node("AveragePool", body(graph), kernel_shape=[1, 1])
    assert kinds(imported_like_onnx(graph, x)) == ["Conv2D", "ReLU"]


def test_pointwise_convolution_behind_a_global_pool_is_a_dense_layer():
    graph = GraphBuilder(9, 14)
    x = graph.conv(graph.node("GlobalAveragePool", body(graph)), 4, 6, (1, 1))
    imported = imported_like_onnx(graph, graph.node("Flatten", x))
    assert kinds(imported)[-2:] == ["GlobalAveragePooling2D", "Dense"]


@pytest.mark.parametrize("way", ["Flatten", "Reshape"])
def test_dense_layer_behind_a_flattened_map_reads_it_in_its_own_order(way):
    graph = GraphBuilder(6, 5)
    x = body(graph)
    x = graph.node("Flatten", x) if way == "Flatten" else graph.node("Reshape", x, graph.integers(-1, 180))
    x = graph.clip(x, 0.0, 60.0)
    imported = imported_like_onnx(graph, graph.gemm(x, 4, 180))
    assert kinds(imported) == ["Conv2D", "ReLU", "Flatten", "ReLU", "Dense"]


def test_matrix_product_and_summand_are_a_dense_layer():
    graph = GraphBuilder(9, 14)
    x = graph.node("Flatten", graph.node("GlobalAveragePool", body(graph)))
    x = graph.node("MatMul", x, graph.weight(6, 4))
    imported = imported_like_onnx(graph, graph.node("Add", graph.constant([3.0, -1.0, 2.0, 9.0]), x))
    assert kinds(imported)[-1] == "Dense"


@pytest.mark.parametrize("transposed", [True, False])
def test_factors_of_a_gemm_are_multiplied_in(transposed):
    graph = GraphBuilder(9, 14)
    x = graph.node("Flatten", graph.node("GlobalAveragePool", body(graph)))
    imported_like_onnx(graph, graph.gemm(x, 4, 6, transposed=transposed, alpha=0.5, beta=-3.0))


def relu_and_clip(graph, x):
    return graph.clip(graph.node("Relu", x), 0.0, 40.0)


def clip_and_relu(graph, x):
    return graph.node("Relu", graph.clip(x, -3.0, 40.0))


def relu_and_minimum(graph, x):
    return graph.node("Min", graph.node("Relu", x), graph.constant(40.0))


def minimum_and_maximum(graph, x):
    return graph.node("Max", graph.constant(0.0), graph.node("Min", x, graph.constant([40.0])))


def open_clip(graph, x):
    return graph.clip(graph.node("Clip", x, graph.constant(0.0)), -1.0, 40.0)


@pytest.mark.parametrize(
    "bounded", [relu_and_clip, clip_and_relu, relu_and_minimum, minimum_and_maximum, open_clip]
)
def test_bounded_relu_in_two_steps_is_one_layer(bounded):
    graph = GraphBuilder(9, 14)
    imported = imported_like_onnx(graph, bounded(graph, graph.conv("pixels", 4, 3, pads=[1, 1, 1, 1])))
    assert kinds(imported) == ["Conv2D", "ReLU"]
    assert imported.layers[-1].max_value == 40.0


def test_clip_of_opset_10_has_its_bounds_as_attributes():
    graph = GraphBuilder(9, 14, opset=10)
    x = graph.node("Clip", graph.conv("pixels", 4, 3, pads=[1, 1, 1, 1]), min=0.0, max=40.0)
    assert imported_like_onnx(graph, x).layers[-1].max_value == 40.0


@pytest.mark.parametrize("opset", [7, 11, 13, 18, 21, 23])
def test_opsets_from_7_to_23_are_read(opset):
    graph = GraphBuilder(9, 14, opset=opset)
    x = graph.node("Relu", graph.norm(graph.conv("pixels", 4, 3, pads=[1, 1, 1, 1]), 4))
    x = graph.node("Dropout", x)
    x = graph.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    imported_like_onnx(graph, graph.gemm(graph.node("Flatten", graph.node("GlobalAveragePool", x)), 5, 4))


def test_nothing_remains_of_nodes_that_do_nothing():
    graph = GraphBuilder(9, 14)
    x = graph.node("Cast", body(graph), to=TensorProto.FLOAT)
    x = graph.node("Dropout", graph.node("Identity", x), graph.constant(0.5))
    x = graph.node("Pad", x, graph.integers(*[0] * 8))
    x = graph.node("Concat", graph.node("Sum", x), axis=1)
    graph.node("Tanh", x)  # nothing reads it
    assert kinds(imported_like_onnx(graph, x)) == ["Conv2D", "ReLU"]


def test_constants_that_nodes_compute_are_computed_once():
    graph = GraphBuilder(9, 14)
    kernel = graph.node("Mul", graph.weight(4, 3, 3, 3), graph.constant(2.0))
    kernel = graph.node("Transpose", kernel, perm=[0, 1, 3, 2])
    shape = graph.node("ConstantOfShape", graph.integers(4))
    x = graph.node("Conv", "pixels", kernel, shape, kernel_shape=[3, 3])
    assert kinds(imported_like_onnx(graph, x)) == ["Conv2D"]


def test_weights_that_two_convolutions_share_are_folded_for_each():
    graph = GraphBuilder(9, 14)
    weight = graph.weight(3, 3, 3, 3)
    x = graph.node("Conv", "pixels", weight, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    x = graph.node("Conv", graph.norm(x, 3), weight, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    imported = imported_like_onnx(graph, x)
    assert len({layer.name for layer in imported.layers}) == len(imported.layers)


def test_pixels_as_bytes_with_a_cast_are_taken_as_they_are():
    graph = GraphBuilder(9, 14, kind=TensorProto.UINT8)
    x = graph.node("Cast", "pixels", to=TensorProto.FLOAT)
    x = graph.node("Mul", x, graph.constant(1 / 255))
    imported_like_onnx(graph, graph.conv(x, 4, 3, pads=[1, 1, 1, 1]))


@pytest.mark.parametrize("batch", ["N", 1])
def test_channels_last_input_with_a_transpose_keeps_no_transpose(batch):
    graph = GraphBuilder(10, 14, channels_last=True, batch=batch)
    x = graph.node("Sub", "pixels", graph.constant([190.0, 120.0, 90.0]))
    x = graph.node("Transpose", x, perm=[0, 3, 1, 2])
    x = graph.conv(x, 6, 3, strides=[2, 2], auto_pad="SAME_UPPER")
    imported = imported_like_onnx(graph, x)
    assert kinds(imported) == ["Conv2D"]
    assert imported.input_shape == (None, 10, 14, 3)


def test_axes_of_length_1_may_be_moved():
    graph = GraphBuilder(9, 14)
    x = graph.node("Transpose", graph.node("GlobalAveragePool", body(graph)), perm=[0, 2, 3, 1])
    imported_like_onnx(graph, graph.gemm(graph.node("Reshape", x, graph.integers(1, 6)), 4, 6))


def test_file_of_torchs_dynamo_exporter_computes_the_same():
    """Its scaling, folded norms, pads and mean are spelled otherwise than by the older exporter."""
    model = onnx.load(GOLDEN / "torch_dynamo.onnx")
    imported = onnx_to_keras(model, generation=2)
    batch = conversions.images(3, seed=5, height=24, width=20)
    expected = run_onnx(model, batch)
    assert np.abs(imported(batch, training=False).numpy() - expected).max() <= 1e-5 * np.ptp(expected)
    assert kinds(imported)[0] == "Conv2D"


def test_functions_of_a_file_are_read_as_their_bodies():
    graph = GraphBuilder(9, 14)
    x = graph.node("Relu", graph.conv("pixels", 4, 3, pads=[1, 1, 1, 1]))
    model = graph.model(x)
    opsets = [onnx.helper.make_opsetid("", graph.opset)]
    body_node = onnx.helper.make_node("Relu", ["x"], ["y"])
    function = onnx.helper.make_function("own", "Activation", ["x"], ["y"], [body_node], opsets)
    model.functions.append(function)
    model.opset_import.append(onnx.helper.make_opsetid("own", 1))
    model.graph.node[-1].domain, model.graph.node[-1].op_type = "own", "Activation"
    assert [layer.kind for layer in plan_layers(model, generation=2).layers] == ["Conv2D", "ReLU"]
