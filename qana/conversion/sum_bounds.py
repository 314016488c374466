"""Leave the bound of a sum to the Add itself, whose output range ends there.

A ReLU behind an Add has no place in an Akida program: quantizeml inserts an identity convolution to carry it
(``models/transforms/insert_identity_convs.py``), with weights of 4 bits that no node takes from an 8-bit sum.
Behind two ReLUs all that is left of it is its upper bound, where the output quantizer of the Add saturates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tf_keras as keras

from qana.conversion.acceptance.keras_structure import parents
from qana.conversion.deploy import PlannedLayer


def leave_bounds_to_sums(model: keras.Model, plan: Sequence[PlannedLayer]) -> keras.Model:
    """The same network without the ReLUs behind its planned sums; `model` itself where there are none.

    Args:
        model: float, from `onnx_to_keras`; left as it is.
        plan: says which layers are sums, and where their ranges end.

    Raises:
        RuntimeError: a ReLU ends elsewhere than the range of its sum.
    """
    ends = {entry.name: _end_of_range(entry) for entry in plan if entry.weight_bits is None}
    if not ends:
        return model
    values: dict[str, Any] = {}
    for layer in model.layers:
        read = [values[parent.name] for parent in parents(layer)]
        if _is_bound(layer, ends):
            values[layer.name] = read[0]
            continue
        kept = type(layer).from_config(layer.get_config())
        values[layer.name] = kept(read if len(read) > 1 else read[0]) if read else kept.output
    rebuilt = keras.Model(values[model.layers[0].name], values[model.layers[-1].name])
    for layer in rebuilt.layers:
        layer.set_weights(model.get_layer(layer.name).get_weights())
    return rebuilt


def _is_bound(layer: Any, ends: Mapping[str, float]) -> bool:
    read = [parent.name for parent in parents(layer)]
    if not isinstance(layer, keras.layers.ReLU) or len(read) != 1 or read[0] not in ends:
        return False
    if layer.max_value != ends[read[0]]:
        raise RuntimeError(f"{layer.name} ends at {layer.max_value}, the range of its sum at {ends[read[0]]}")
    return True


def _end_of_range(entry: PlannedLayer) -> float:
    """The power of two that the output range of a sum reaches up to, its last step left out."""
    assert entry.output_bits is not None
    assert entry.frac_bits is not None
    return float(2.0 ** (entry.output_bits - bool(entry.output_signed) - entry.frac_bits))
