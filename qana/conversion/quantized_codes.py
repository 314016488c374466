"""Integer outputs of a quantized Keras network, block by block as Akida will see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tf_keras as keras
from numpy.typing import NDArray
from quantizeml.tensors import FixedPoint, QFloat


def quantized_codes(
    quantized: keras.Model, names: Sequence[str], images: NDArray[np.uint8]
) -> dict[str, NDArray[Any]]:
    """What each block of layers gives, as integers.

    Args:
        quantized: a quantizeml model.
        names: of the Akida layers; a block begins at the Keras layer of that name and ends before the next.
        images: (N, H, W, 3) uint8.

    Returns:
        Akida layer name to codes (N, H', W', C). Blocks that end in floats are left out.
    """
    ends = _ends_of_blocks(quantized, names)
    outputs = keras.Model(quantized.input, [end.output for end in ends.values()])(images, training=False)
    values = zip(ends, outputs if len(ends) > 1 else [outputs], strict=True)
    codes = {name: _codes(value) for name, value in values}
    return {name: code for name, code in codes.items() if code is not None}


def largest_codes(quantized: keras.Model, names: Sequence[str]) -> dict[str, int]:
    """Akida layer name to the top of the range of its output; blocks without a range are left out."""
    quantizers = {
        name: getattr(end, "out_quantizer", None) for name, end in _ends_of_blocks(quantized, names).items()
    }
    return {name: 2**each.value_bits - 1 for name, each in quantizers.items() if each is not None}


def _ends_of_blocks(quantized: keras.Model, names: Sequence[str]) -> dict[str, Any]:
    known = {layer.name for layer in quantized.layers}
    heads = [name for name in names if name in known]
    return {name: _end_of_block(quantized.get_layer(name), set(heads)) for name in heads}


def _end_of_block(layer: Any, heads: set[str]) -> Any:
    """The last layer before the next head, a branch or the end."""
    while len(layer.outbound_nodes) == 1:
        following = layer.outbound_nodes[0].layer
        if following.name in heads or type(following).__name__ in ("Dequantizer", "QuantizedFlatten"):
            break
        layer = following
    return layer


def _codes(value: Any) -> NDArray[Any] | None:
    if isinstance(value, QFloat):
        value = value.fp
    if not isinstance(value, FixedPoint):
        return None
    codes = np.asarray(value.values)
    return codes.reshape(len(codes), 1, 1, -1) if codes.ndim == 2 else codes
