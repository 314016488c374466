"""Any small graph of legal nodes becomes native layers that compute what ONNX Runtime computes."""

import conversions
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx_graphs import GraphBuilder, run_onnx

from qana.backbone.padding import same_padding
from qana.conversion.onnx_to_keras import onnx_to_keras, plan_layers

# Float32 sums in another order, factors folded into weights; relative to the largest value.
TOLERANCE = 1e-5
STEPS = (
    "conv",
    "strided conv",
    "padded conv",
    "depthwise",
    "separable",
    "norm",
    "scale",
    "shift",
    "relu",
    "bounded",
    "max pool",
    "branch add",
    "branch concat",
    "identity",
)
LINEAR = ("conv", "strided conv", "padded conv", "depthwise", "separable")


class Network:
    """A graph that grows step by step, and remembers the size of its last map."""

    def __init__(self, height, width, seed, scaling):
        self.graph = GraphBuilder(height, width, seed)
        self.size, self.channels, self.linear = (height, width), 3, False
        self.value = "pixels"
        if scaling == "factor":
            self.value = self.graph.node("Div", "pixels", self.graph.constant(255.0))
        if scaling == "mean":
            self.value = self.graph.node(
                "Sub", "pixels", self.graph.constant([[[90.0]], [[140.0]], [[99.0]]])
            )
        self.step("conv", 3)

    def pads(self, kernel, stride):
        (top, bottom), (left, right) = (same_padding(length, kernel, stride) for length in self.size)
        return [top, left, bottom, right]

    def conv(self, kernel, stride=1, *, channels=None, group=1, pads=None, x=None):
        channels = channels or int(self.graph.random.integers(2, 7))
        pads = self.pads(kernel, stride) if pads is None else pads
        return channels, self.graph.conv(
            x or self.value,
            channels,
            self.channels,
            (kernel, kernel),
            group=group,
            bias=bool(self.graph.random.integers(2)),
            strides=[stride, stride],
            pads=pads,
        )

    def halve(self):
        self.size = tuple(-(-length // 2) for length in self.size)

    def step(self, name, kernel):
        if name in ("norm", "scale", "shift") and not self.linear:
            name = "conv"  # there have to be weights that take it up
        getattr(self, "_" + name.replace(" ", "_"))(kernel)
        self.linear = name in LINEAR or (self.linear and name in ("norm", "scale", "shift", "identity"))

    def _conv(self, kernel):
        self.channels, self.value = self.conv(kernel)

    def _strided_conv(self, kernel):
        self.channels, self.value = self.conv(max(kernel, 3), 2)
        self.halve()

    def _padded_conv(self, kernel):
        top, left, bottom, right = self.pads(3, 2)
        pads = self.graph.integers(0, 0, top, left, 0, 0, bottom, right)
        self.channels, self.value = self.conv(
            3, 2, pads=[0, 0, 0, 0], x=self.graph.node("Pad", self.value, pads)
        )
        self.halve()

    def _depthwise(self, kernel):
        _, self.value = self.conv(kernel, channels=self.channels, group=self.channels)

    def _separable(self, kernel):
        self._depthwise(kernel)
        self._conv(1)

    def _norm(self, kernel):
        self.value = self.graph.norm(self.value, self.channels)

    def _scale(self, kernel):
        factors = self.graph.random.uniform(-2, 2, (self.channels, 1, 1))
        self.value = self.graph.node("Mul", self.value, self.graph.constant(factors))

    def _shift(self, kernel):
        summands = self.graph.random.uniform(-9, 9, (1, self.channels, 1, 1))
        self.value = self.graph.node("Add", self.graph.constant(summands), self.value)

    def _relu(self, kernel):
        self.value = self.graph.node("Relu", self.value)

    def _bounded(self, kernel):
        self.value = self.graph.clip(self.value, 0.0, 80.0)

    def _max_pool(self, kernel):
        window = {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}
        self.value = self.graph.node("MaxPool", self.value, **window)
        self.halve()

    def _branch_add(self, kernel):
        _, branch = self.conv(kernel, channels=self.channels)
        self.value = self.graph.node("Add", self.value, self.graph.node("Relu", branch))

    def _branch_concat(self, kernel):
        channels, branch = self.conv(kernel)
        self.value = self.graph.node("Concat", branch, self.value, axis=1)
        self.channels += channels

    def _identity(self, kernel):
        self.value = self.graph.node("Dropout", self.graph.node("Identity", self.value))

    def end(self, kind):
        if kind == "map":
            return self.value
        height, width = self.size
        features = self.channels
        if kind == "mean":
            x = self.graph.node("ReduceMean", self.value, axes=[2, 3], keepdims=1)
        else:
            x, features = self.value, self.channels * height * width
        return self.graph.gemm(self.graph.node("Flatten", x), 4, features)


@st.composite
def networks(draw):
    height, width = draw(st.sampled_from([(7, 10), (8, 12), (9, 13), (12, 7)]))
    scaling = draw(st.sampled_from(["none", "factor", "mean"]))
    network = Network(height, width, draw(st.integers(0, 999)), scaling)
    for name in draw(st.lists(st.sampled_from(STEPS), min_size=1, max_size=6)):
        network.step(name, draw(st.sampled_from([1, 3, 5])))
    output = network.end(draw(st.sampled_from(["map", "mean", "flat"])))
    return network.graph, output


@settings(max_examples=50)
@given(networks(), st.sampled_from([1, 2]))
def test_random_graph_of_legal_nodes_computes_the_same(network, generation):
    graph, output = network
    model = graph.model(output)
    imported = onnx_to_keras(model, generation=generation)
    batch = conversions.images(2, seed=5, height=graph.shape[0], width=graph.shape[1])
    expected = run_onnx(model, batch)
    found = imported(batch, training=False).numpy().reshape(expected.shape)
    assert np.abs(found - expected).max() <= TOLERANCE * np.abs(expected).max()


@settings(max_examples=50)
@given(networks(), st.sampled_from([1, 2]))
def test_every_weight_of_a_random_graph_is_in_one_layer(network, generation):
    graph, output = network
    plan = plan_layers(graph.model(output), generation=generation)
    convolutions = sum(node.op_type in ("Conv", "Gemm") for node in graph.nodes)
    held = {"SeparableConv2D": 2, "Conv2D": 1, "DepthwiseConv2D": 1, "Dense": 1}
    assert plan.faults == ()
    assert sum(held.get(layer.kind, 0) for layer in plan.layers) == convolutions
