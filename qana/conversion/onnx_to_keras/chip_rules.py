"""What a generation of Akida does not run, in a network that Keras could run.

Limits come from the capability table, which was tried on the SDK; the order of layers within a block is that
of cnn2snn's patterns (``cnn2snn/quantizeml/convolution.py``, ``separable_convolution.py``, 2.19.3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from qana.conversion.capabilities.table import GENERATIONS, GenerationTable, Kind, LayerTable
from qana.conversion.onnx_to_keras.advice import BOUNDED_RELU
from qana.conversion.onnx_to_keras.fault import Fault
from qana.conversion.onnx_to_keras.image_rules import image_faults, offset_faults, output_faults
from qana.conversion.onnx_to_keras.importer import Plan
from qana.conversion.onnx_to_keras.layer import UNKNOWN, Layer
from qana.conversion.onnx_to_keras.layer_chain import WEIGHTED, LayerChain
from qana.conversion.onnx_to_keras.pool_rules import global_pool_faults, max_pool_faults

KINDS: dict[str, Kind] = {
    "Conv2D": "convolution",
    "DepthwiseConv2D": "depthwise",
    "SeparableConv2D": "separable",
    "Dense": "dense",
}


def chip_faults(plan: Plan, generation: int) -> list[Fault]:
    """Everything in the planned layers that `generation` does not run, in network order."""
    chain, table = LayerChain(plan.layers, plan.input), GENERATIONS[generation]
    faults = [fault for layer in plan.layers for rule in RULES for fault in rule(layer, chain, table)]
    return [
        *image_faults(plan, table),
        *offset_faults(plan, generation),
        *faults,
        *output_faults(plan),
    ]


def table_of(layer: Layer, chain: LayerChain, table: GenerationTable) -> LayerTable | None:
    """What the chip says about the kind of `layer`; None where it has no such layer."""
    kind = KINDS.get(layer.kind)
    if kind == "convolution" and chain.is_first(layer):
        kind = "stem"
    return None if kind is None else table.layers.get(kind)


def _kind_faults(layer: Layer, chain: LayerChain, table: GenerationTable) -> Iterator[Fault]:
    if layer.kind == "DepthwiseConv2D" and "depthwise" not in table.layers:
        yield layer.fault(
            "a depthwise convolution on its own",
            allowed="a depthwise convolution with a 1x1 convolution directly behind it",
            rewrite="remove the activation between it and the 1x1 convolution behind it, or choose akida2",
        )
    if layer.kind in ("Add", "Concatenate") and "depthwise" not in table.layers:
        yield layer.fault(
            "an addition" if layer.kind == "Add" else "a concatenation",
            allowed="one layer behind the other",
            rewrite="take the branch out, or choose akida2",
        )
    if layer.kind == "Add" and len(set(layer.inputs)) == 1:
        rewrite = "double the weights of the layer before it"
        yield layer.fault("a value added to itself", allowed="two different values", rewrite=rewrite)
    if chain.is_first(layer) and layer.kind not in ("Conv2D", UNKNOWN):
        yield layer.fault(
            f"a {layer.kind} on the image",
            allowed="a full convolution as the first layer",
            rewrite="put a 3x3 convolution with stride 1 or 2 first",
        )


def _kernel_faults(layer: Layer, chain: LayerChain, table: GenerationTable) -> Iterator[Fault]:
    limits = table_of(layer, chain, table)
    if limits is None or layer.kind == "Dense":
        return
    kernel, stride = tuple(layer.arguments["kernel_size"]), tuple(layer.arguments["strides"])
    legal = ", ".join(
        f"{size}x{size} at stride {' or '.join(map(str, steps))}" for size, steps in limits.strides.items()
    )
    if kernel[0] != kernel[1] or stride[0] != stride[1] or stride[0] not in limits.strides.get(kernel[0], ()):
        steps = stride[0] if stride[0] == stride[1] else stride
        yield layer.fault(
            f"a {kernel[0]}x{kernel[1]} kernel at stride {steps}",
            allowed=legal,
            rewrite="use a 3x3 kernel at stride 1 or 2",
        )
    if layer.arguments["padding"] == "valid" and kernel != (1, 1) and not chain.is_first(layer):
        yield layer.fault(
            f"a {kernel[0]}x{kernel[1]} kernel without pads behind the first layer",
            allowed="TensorFlow's same padding",
            rewrite="pad with zeros as TensorFlow's same does (padding=1 for 3x3 at stride 1)",
        )
    yield from _size_faults(layer, limits, kernel[0])


def _size_faults(layer: Layer, limits: LayerTable, kernel: int) -> Iterator[Fault]:
    filters, channels = layer.after.shape[-1], layer.before[0].shape[-1]
    if kernel in limits.filters and filters > limits.filters[kernel].value:
        most = limits.filters[kernel].value
        yield layer.fault(
            f"{filters} filters", allowed=f"at most {most}", rewrite=f"use at most {most} filters"
        )
    # Weights of fewer bits take less room: what not even they allow is refused.
    fan_in = [by_kernel[kernel].value for by_kernel in limits.fan_in.values() if kernel in by_kernel]
    if layer.kind != "DepthwiseConv2D" and fan_in and channels > max(fan_in):
        yield layer.fault(
            f"{channels} input channels under a {kernel}x{kernel} kernel",
            allowed=f"filters that fit one neural processor: at most {max(fan_in)} channels",
            rewrite="make the layer before it narrower, or the kernel smaller",
        )


def _weight_faults(layer: Layer, chain: LayerChain, table: GenerationTable) -> Iterator[Fault]:
    if any(not array.any() for array in _kernels(layer)):  # a NaN counts as something
        yield layer.fault(
            "a layer whose weights are all zero",
            allowed="at least one weight that is not zero",
            rewrite="remove the layer, or train it",
        )


def _kernels(layer: Layer) -> list[NDArray[np.float32]]:
    has_bias = bool(layer.arguments.get("use_bias"))
    return list(layer.weights[:-1] if has_bias else layer.weights)


def _activation_faults(layer: Layer, chain: LayerChain, table: GenerationTable) -> Iterator[Fault]:
    before_pool = table.global_pool_order == "before"  # the first generation, strict about its blocks
    if layer.kind == "ReLU" and before_pool and layer.arguments["max_value"] is None:
        yield layer.fault("a ReLU without a bound", allowed="a ReLU with a bound", rewrite=BOUNDED_RELU)
    is_stem = layer.kind == "Conv2D" and chain.is_first(layer)
    if layer.kind not in WEIGHTED or not chain.readers(layer) or not (before_pool or is_stem):
        return
    reader = chain.only_reader(layer)
    while reader is not None and reader.kind in ("MaxPool2D", "GlobalAveragePooling2D"):
        reader = chain.only_reader(reader)
    if layer.kind != "DepthwiseConv2D" and (reader is None or reader.kind not in ("ReLU", UNKNOWN)):
        yield layer.fault(
            "no ReLU behind it",
            allowed="a ReLU behind every layer but the last",
            rewrite="put a ReLU with a bound behind it, and train again",
        )


Rule = Callable[[Layer, LayerChain, GenerationTable], Iterator[Fault]]
RULES: tuple[Rule, ...] = (
    _kind_faults,
    _kernel_faults,
    _weight_faults,
    _activation_faults,
    max_pool_faults,
    global_pool_faults,
)
