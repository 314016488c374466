"""Is the quantized Keras network still the float one? A gate on structure, because numbers alone let it pass.

quantizeml rewrites networks before it quantizes them. It replaces a ZeroPadding2D and a ``valid`` convolution
by a ``same`` one, which pads elsewhere at stride 2, and says nothing; the logits of a small network may move
by less than 1e-3. Layers are read by their attributes alone, so that nothing here imports TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

# Folded into the layer before, exactly.
FOLDED = ("BatchNormalization", "Dropout")
# What quantization adds; the dequantizer at the end, never in between.
ADDED = ("Dequantizer", "InputQuantizer")
ATTRIBUTES = (
    "padding",
    "strides",
    "kernel_size",
    "pool_size",
    "dilation_rate",
    "groups",
    "depth_multiplier",
    "filters",
    "units",
    "data_format",
    "max_value",
    "scale",
    "offset",
    "axis",
    "target_shape",
)
# Quantized layers do not have these; they compute as if they had them at these values.
NEUTRAL = {"negative_slope": 0.0, "threshold": 0.0}


def structure_faults(model: Any, quantized: Any) -> list[str]:
    """Where a quantized Keras network is another one than the float network it was made from.

    Args:
        model: float, from `onnx_to_keras`.
        quantized: what quantizeml made of it.

    Returns:
        One text per layer and difference, in the order of `model`; empty where they are the same network.
    """
    theirs = {layer.name: layer for layer in quantized.layers}
    faults: list[str] = []
    for layer in model.layers:
        if kind(layer) in FOLDED:
            continue
        if layer.name not in theirs:
            faults.append(f"{layer.name}: the {kind(layer)} is gone")
        else:
            faults += [f"{layer.name}: {text}" for text in _differences(model, layer, theirs[layer.name])]
    ours = {layer.name for layer in model.layers}
    faults += [
        f"{layer.name}: a {kind(layer)} that was not there"
        for layer in quantized.layers
        if layer.name not in ours and (kind(layer) not in ADDED or _is_inner_dequantizer(layer))
    ]
    outputs = (len(model.outputs), len(quantized.outputs))
    if outputs != (1, 1):
        faults.append(f"{outputs[1]} outputs where the float network has {outputs[0]} and the chip takes 1")
    return faults


def changed_weights(model: Any, quantized: Any) -> list[str]:
    """Layers whose float weights are others in the quantized network than in `model`."""
    names = {layer.name for layer in quantized.layers}
    changed = []
    for layer in model.layers:
        weights = layer.get_weights()
        if not weights or layer.name not in names:
            continue
        theirs = quantized.get_layer(layer.name).get_weights()[: len(weights)]
        if not all(np.array_equal(ours, held) for ours, held in zip(weights, theirs, strict=False)):
            changed.append(f"{layer.name}: its weights were changed")
    return changed


def per_axis_layers(quantized: Any) -> list[str]:
    """Layers whose activations have a range per channel; a v1 program made from them is wrong."""
    return [layer.name for layer in quantized.layers if _axis(layer) == "per-axis"]


def parents(layer: Any) -> list[Any]:
    """The Keras layers that `layer` reads."""
    inbound = layer.inbound_nodes[0].inbound_layers if layer.inbound_nodes else []
    return list(inbound) if isinstance(inbound, (list, tuple)) else [inbound]


def kind(layer: Any) -> str:
    """Class of a Keras layer, such as ``QuantizedConv2D``."""
    return type(layer).__name__


def _axis(layer: Any) -> str | None:
    quantizer = getattr(layer, "out_quantizer", None) or (layer if kind(layer) == "InputQuantizer" else None)
    return getattr(quantizer, "axis", None)


def _differences(model: Any, ours: Any, theirs: Any) -> Iterator[str]:
    # QuantizedMaxPool2D is a MaxPooling2D by inheritance alone, QuantizedReLU a ReLU by name alone.
    if kind(theirs) != f"Quantized{kind(ours)}" and not isinstance(theirs, type(ours)):
        yield f"a {kind(ours)} became a {kind(theirs)}"
    for name in (*ATTRIBUTES, *NEUTRAL):
        neutral = NEUTRAL.get(name)
        before, after = (_plain(getattr(layer, name, neutral)) for layer in (ours, theirs))
        if before != after:
            yield f"{name} {before!r} became {after!r}"
    if ours.output_shape != theirs.output_shape:
        yield f"output {_shape(ours)} became {_shape(theirs)}"
    before_names, after_names = _read(ours, FOLDED), _read(theirs, ADDED)
    if before_names != after_names:
        yield f"reads {', '.join(after_names) or 'nothing'} instead of {', '.join(before_names) or 'nothing'}"


def _read(layer: Any, skipped: tuple[str, ...]) -> list[str]:
    """Names of the layers that `layer` reads, looking through those of the `skipped` kinds."""
    names: list[str] = []
    for parent in parents(layer):
        names += _read(parent, skipped) if kind(parent) in skipped else [parent.name]
    return names


def _is_inner_dequantizer(layer: Any) -> bool:
    return kind(layer) == "Dequantizer" and bool(layer.outbound_nodes)


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return tuple(_plain(each) for each in value)
    if isinstance(value, (str, bool, type(None))):
        return value
    return float(value) if np.ndim(value) == 0 else tuple(np.asarray(value, float).ravel().tolist())


def _shape(layer: Any) -> str:
    shape = layer.output_shape[0] if isinstance(layer.output_shape, list) else layer.output_shape
    return "x".join(str(size) for size in shape[1:])
