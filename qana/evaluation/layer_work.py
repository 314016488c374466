"""How much work an event-driven layer does: every non-zero input is multiplied with all weights it meets.

The dense count divides a strided layer's work by the stride squared, because it counts outputs. The chip
does not skip inputs: boards need four times the clocks per dense MAC at stride 2 (see `cost`). So the
work is counted from the inputs, and the stride is recovered from MACs and shapes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from qana.conversion.product import LayerReport

_KERNEL_SIZES = (1, 3, 5, 7)
_STRIDES = (1, 2)

# Akida layer type to what limits its speed. Reshaping and adding layers have no weights and are free here.
FAMILY_OF_KIND = {
    "InputConvolutional": "input",
    "InputConv2D": "input",
    "Convolutional": "conv",
    "Conv2D": "conv",
    "Conv2DTranspose": "conv",
    "SeparableConvolutional": "separable",
    "DepthwiseConv2D": "depthwise",
    "DepthwiseConv2DTranspose": "depthwise",
    "FullyConnected": "dense",
    "Dense1D": "dense",
}


@dataclass(frozen=True)
class LayerWork:
    """Work of one layer for one image.

    Attributes:
        name: layer name.
        family: what limits the layer's speed: input, conv, pointwise, separable, depthwise or dense.
        synops: dense MACs times the share of non-zero inputs.
        event_macs: multiply-accumulates that the events set off; `synops` times the stride squared.
        nps: neural processors that share the work, at least 1.
    """

    name: str
    family: str
    synops: float
    event_macs: float
    nps: int


def _dense_macs(
    family: str, input_shape: tuple[int, int, int], filters: int, kernel_size: int, stride: int
) -> int:
    x, y, channels = input_shape
    positions = math.ceil(x / stride) * math.ceil(y / stride)
    taps = kernel_size**2
    weights = {
        "conv": taps * channels * filters,
        "separable": taps * channels + channels * filters,
        "depthwise": taps * channels,
    }[family]
    return positions * weights


def recover_kernel_and_stride(
    family: str, macs: int, input_shape: tuple[int, int, int], filters: int
) -> tuple[int, int]:
    """Find the kernel size and stride whose dense MACs come closest (in ratio) to `macs`.

    Exact where the input shape is known, which it is in a sequential network. A pooled layer shows the
    stride of its convolution, since MACs are counted before pooling.
    """
    candidates = [(k, s) for k in _KERNEL_SIZES for s in _STRIDES if s <= k]

    def distance(candidate: tuple[int, int]) -> float:
        return abs(math.log(_dense_macs(family, input_shape, filters, *candidate) / macs))

    return min(candidates, key=distance)


def layer_work(layer: LayerReport, input_shape: tuple[int, int, int]) -> LayerWork:
    """Count the work of one layer with weights.

    Args:
        layer: as seen on the test images.
        input_shape: (X, Y, C) of what the layer reads.

    Raises:
        KeyError: the layer's type is not in `FAMILY_OF_KIND`.
    """
    family = FAMILY_OF_KIND[layer.kind]
    synops = layer.macs * (1 - layer.input_sparsity)
    event_macs = synops
    if family in ("conv", "separable", "depthwise"):
        kernel_size, stride = recover_kernel_and_stride(
            family, layer.macs, input_shape, filters=layer.output_shape[2]
        )
        event_macs = synops * stride**2
        if family == "conv" and kernel_size == 1:
            family = "pointwise"
    return LayerWork(layer.name, family, synops, event_macs, max(layer.nps, 1))
