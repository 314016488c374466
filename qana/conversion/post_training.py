"""Quantize a float Keras network with the vendor's tool, where no training fixed the grids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import quantizeml
import tf_keras as keras
from numpy.typing import NDArray
from quantizeml.models.transforms import sanitize

from qana.conversion.acceptance.fault import refuse
from qana.conversion.acceptance.keras_structure import structure_faults
from qana.conversion.acceptance.verdict import float_faults
from qana.conversion.keras_to_akida import BUFFER_BITS, akida_generation
from qana.conversion.onnx_to_keras.layer import Layer
from qana.conversion.sdk_warnings import fatal_sdk_warnings
from qana.errors import QanaError, listed

INPUT_WEIGHT_BITS = 8  # the first layer of both generations holds weights of 8 bits
POOLED_BITS = 8
MAX_WORDS = 500  # characters of the SDK's own, which may hold whole tracebacks
COMPARED = 16  # calibration images on which the vendor's rewrite is held against the network


def quantize_after_training(
    model: keras.Model,
    layers: Sequence[Layer],
    samples: NDArray[np.uint8],
    *,
    generation: int,
    weight_bits: int,
    activation_bits: int,
    batch_size: int,
) -> keras.Model:
    """Quantize `model` with ranges taken from `samples`.

    Args:
        model: float Keras network built from `layers`.
        layers: its plan.
        samples: (N, H, W, 3) calibration images.
        generation: Akida generation, 1 or 2.
        weight_bits: behind the first layer.
        activation_bits: of every activation but a pooled one.
        batch_size: images per calibration step.

    Returns:
        A quantizeml model, uint8 (N, H, W, 3) to float logits (N, classes).

    Raises:
        QanaError: the vendor's tool cannot quantize a part of the network.
    """
    qparams = quantizeml.layers.QuantizationParams(
        weight_bits=weight_bits,
        activation_bits=activation_bits,
        input_weight_bits=INPUT_WEIGHT_BITS,
        per_tensor_activations=needs_per_tensor(layers, generation),
    )
    with akida_generation(generation), fatal_sdk_warnings("quantization"):
        try:
            # quantizeml does this first anyway; done apart, its result can be held against the network.
            prepared = sanitize(model)
            _require_same_function(model, prepared, samples)
            quantized = quantizeml.models.quantize(
                prepared,
                q_config=dict(_pooled_configs(layers, activation_bits)),
                qparams=qparams,
                samples=samples,
                num_samples=len(samples),
                batch_size=min(batch_size, len(samples)),
            )
        except (RuntimeError, ValueError, TypeError) as error:
            raise _refused(error, generation, weight_bits, activation_bits) from error
    _require_same_structure(prepared, quantized)
    return quantized


def _refused(error: Exception, generation: int, weight_bits: int, activation_bits: int) -> QanaError:
    return QanaError(
        f"the vendor's quantizer refuses the network: {' '.join(str(error).split())[:MAX_WORDS]}",
        where=f"quantization.weight_bits = {weight_bits}, quantization.activation_bits = {activation_bits}",
        allowed=f"what quantizeml {quantizeml.__version__} quantizes for Akida v{generation}",
        fix="choose other bit-widths, or replace the layer that is named",
    )


def _require_same_function(model: keras.Model, prepared: keras.Model, samples: NDArray[np.uint8]) -> None:
    """Refuse a rewrite by the vendor's tool that makes another network, which it does without a word."""
    _refuse_changes(list(_padding_faults(model, prepared)))
    compared = samples[:COMPARED]
    before, after = (np.asarray(each.predict_on_batch(compared)) for each in (model, prepared))
    refuse(
        float_faults(before, after, stages=("keras", "prepared keras")),
        "the vendor's quantizer rewrote the network",
    )


def _require_same_structure(prepared: keras.Model, quantized: keras.Model) -> None:
    """Refuse a quantized network with other layers or connections than the float one."""
    # The one change of kind: an offset of the pixels becomes the value around the map.
    padded = {
        f"{layer.name}: a PaddedConv2D became a QuantizedConv2D"
        for layer in prepared.layers
        if isinstance(layer, quantizeml.layers.PaddedConv2D)
    }
    _refuse_changes([fault for fault in structure_faults(prepared, quantized) if fault not in padded])


def _refuse_changes(changed: list[str]) -> None:
    if changed:
        raise QanaError(
            f"quantization made another network: {listed(changed)}",
            where="onnx, conversion.name",
            allowed="layers, paddings, strides and connections of the float Keras network",
            fix="rewrite the first layer that is named so that the chip pads and orders it as the file does",
        )


def _padding_faults(model: keras.Model, prepared: keras.Model) -> Iterator[str]:
    """Numbers alone let a swapped padding pass: the logits of a small network may move by less than 1e-3."""
    theirs = {layer.name: layer for layer in prepared.layers}
    for layer in model.layers:
        if not hasattr(layer, "padding"):
            continue
        other = theirs.get(layer.name)
        if other is None:
            yield f"{layer.name}: it is gone"
            continue
        around = getattr(other, "padding_value", None) is not None
        if ("same" if around else other.padding) != layer.padding or other.strides != layer.strides:
            yield f"{layer.name}: padding {layer.padding} became {other.padding}, strides {other.strides}"


def needs_per_tensor(layers: Sequence[Layer], generation: int) -> bool:
    """Whether the vendor's default, a range per channel, makes a wrong program without a word.

    It does on v1 (correlation 0.62 with the float network), and on v2 for a dense layer on a flattened map.
    """
    return generation == 1 or any(layer.after.flattened is not None for layer in layers)


def _pooled_configs(layers: Sequence[Layer], activation_bits: int) -> list[tuple[str, dict[str, Any]]]:
    """A mean over 4-bit codes loses its fraction: behind a ReLU it is kept on 8 bits."""
    if activation_bits >= POOLED_BITS:
        return []
    activations = {layer.output for layer in layers if layer.kind == "ReLU"}
    quantizer = {
        "bitwidth": POOLED_BITS,
        "signed": True,
        "axis": "per-tensor",
        "buffer_bitwidth": BUFFER_BITS,
    }
    return [
        (layer.name, {"output_quantizer": quantizer})
        for layer in layers
        if layer.kind == "GlobalAveragePooling2D" and layer.inputs[0] in activations
    ]
