"""A Keras layer before there is Keras: what the importer plans, TensorFlow not yet imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qana.conversion.onnx_to_keras.fault import Fault
from qana.conversion.onnx_to_keras.graph import Node

UNKNOWN = "unknown"  # kind of what stands in place of a node that has no layer


@dataclass(frozen=True)
class Value:
    """What flows between layers.

    Attributes:
        shape: (H, W, C), or (C,) behind a global pool or a flattening.
        flattened: the (H, W, C) of the map that was flattened into it; its numbers are then in the order of
            (H, W, C), where ONNX has them in the order of (C, H, W). None for everything else.
    """

    shape: tuple[int, ...]
    flattened: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class Layer:
    """One native Keras layer.

    Attributes:
        kind: class name in ``keras.layers``, or `UNKNOWN`.
        name: of the layer.
        inputs: value names.
        output: value name; the one in the ONNX file, unless it ends in ``~``.
        arguments: of the constructor, without the name.
        weights: in Keras' order and layout.
        before: what goes in, one per input.
        after: what comes out.
        node: the ONNX node it stands for.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    output: str
    arguments: Mapping[str, Any]
    weights: tuple[NDArray[np.float32], ...]
    before: tuple[Value, ...]
    after: Value
    node: Node

    def fault(self, found: str, *, allowed: str, rewrite: str) -> Fault:
        """A fault of the node that this layer stands for."""
        return Fault(self.node.name, self.node.proto.op_type, self.node.scope, found, allowed, rewrite)
