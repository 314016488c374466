"""The comparison of file and Keras network sees what it is there to see."""

import dataclasses

import conversions
import pytest
from onnx_graphs import GraphBuilder

from qana.conversion.onnx_to_keras.compare import require_same_function
from qana.conversion.onnx_to_keras.importer import build_keras, plan_layers
from qana.errors import QanaError


def model():
    graph = GraphBuilder(9, 14)
    x = graph.clip(graph.norm(graph.conv("pixels", 6, 3, pads=[1, 1, 1, 1]), 6), 0.0, 60.0)
    x = graph.conv(x, 6, 6, group=6, pads=[1, 1, 1, 1])
    x = graph.node("Relu", graph.conv(x, 5, 6, (1, 1)))
    x = graph.node("Flatten", graph.node("GlobalAveragePool", x))
    return graph.model(graph.gemm(x, 4, 5))


def compare(file, plan, height=9):
    images = conversions.images(2, seed=5, height=height, width=14)
    require_same_function(file, plan, build_keras(plan), images)


@pytest.mark.parametrize("generation", [1, 2])
def test_imported_network_is_found_to_be_the_one_of_the_file(generation):
    file = model()
    compare(file, plan_layers(file, generation=generation))


@pytest.mark.parametrize("index", [0, 2, 3, 6])
def test_first_layer_with_another_weight_is_named(index):
    file = model()
    plan = plan_layers(file, generation=2)
    wrong = plan.layers[index]
    changed = dataclasses.replace(wrong, weights=(1.001 * wrong.weights[0], *wrong.weights[1:]))
    layers = (*plan.layers[:index], changed, *plan.layers[index + 1 :])
    with pytest.raises(QanaError, match=f"layer {wrong.name} .* differs by") as refusal:
        compare(file, dataclasses.replace(plan, layers=layers))
    assert refusal.value.where == "onnx"
    assert "at most 0.0001" in refusal.value.allowed
    assert "report the file" in refusal.value.fix


def test_layer_that_pads_elsewhere_is_named():
    graph = GraphBuilder(8, 14)
    x = graph.conv("pixels", 6, 3, strides=[2, 2], pads=[0, 0, 1, 1])
    file = graph.model(graph.node("Relu", x))
    plan = plan_layers(file, generation=2)
    wrong = dataclasses.replace(plan.layers[0], arguments={**plan.layers[0].arguments, "padding": "valid"})
    with pytest.raises(QanaError, match=f"layer {wrong.name} .* differs by inf"):
        compare(file, dataclasses.replace(plan, layers=(wrong, *plan.layers[1:])), height=8)
