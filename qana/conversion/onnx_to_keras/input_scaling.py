"""Put the scaling that a network expects of its caller into the file, so that it takes plain pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

PIXELS = "qana_pixels"


def with_input_scaling(
    model: onnx.ModelProto, scale: Sequence[float], offset: Sequence[float], *, channels_last: bool
) -> onnx.ModelProto:
    """The network of ``pixels * scale + offset``.

    Args:
        model: takes scaled pixels; left as it is.
        scale: one factor per channel.
        offset: one summand per channel, in the units of the scaled pixels.
        channels_last: whether the file takes (N, H, W, C).

    Returns:
        A network with one more Mul and Add, or a copy of `model` where they would do nothing.
    """
    scaled = onnx.ModelProto()
    scaled.CopyFrom(model)
    factors, summands = (np.asarray(values, dtype=np.float32) for values in (scale, offset))
    if (factors == 1.0).all() and not summands.any():
        return scaled
    graph = scaled.graph
    constants = {tensor.name for tensor in graph.initializer}
    image = next(value for value in graph.input if value.name not in constants)
    before = image.name
    image.name = PIXELS
    shape = (1, 1, 1, -1) if channels_last else (1, -1, 1, 1)
    graph.initializer.append(numpy_helper.from_array(factors.reshape(shape), f"{PIXELS}_scale"))
    graph.initializer.append(numpy_helper.from_array(summands.reshape(shape), f"{PIXELS}_offset"))
    graph.node.insert(0, helper.make_node("Mul", [PIXELS, f"{PIXELS}_scale"], [f"{PIXELS}_scaled"]))
    graph.node.insert(1, helper.make_node("Add", [f"{PIXELS}_scaled", f"{PIXELS}_offset"], [before]))
    return scaled
