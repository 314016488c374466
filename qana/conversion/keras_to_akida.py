"""Float Keras to Akida, with the grids that training fixed instead of the SDK's own calibration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import akida
import cnn2snn
import numpy as np
import quantizeml
import tensorflow as tf
import tf_keras as keras
from cnn2snn import AkidaVersion
from numpy.typing import NDArray

from qana.conversion.acceptance.keras_structure import changed_weights, per_axis_layers, structure_faults
from qana.conversion.acceptance.program_structure import program_faults
from qana.conversion.deploy import PlannedLayer
from qana.conversion.quick_recorders import quick_recorders
from qana.conversion.sdk_warnings import fatal_sdk_warnings
from qana.conversion.sum_bounds import leave_bounds_to_sums
from qana.conversion.v1_limits import require_v1_limits
from qana.errors import QanaError, listed

BUFFER_BITS = 32


def quantize_keras(
    model: keras.Model, plan: list[PlannedLayer], images: NDArray[np.uint8], *, generation: int
) -> keras.Model:
    """Quantize `model` onto the grids of `plan`, whatever `images` would have suggested.

    quantizeml calibrates ranges of its own and spreads them over the weights ("cross-layer equalization").
    All of that is put back: every output range is the trained one, every rescaling rate 1, every weight the
    trained one. ``images`` only drive the pass that builds the quantizers.

    Args:
        model: float Keras network from `onnx_to_keras`.
        plan: one entry per layer that gives integers of its own.
        images: (N, H, W, 3), a few.
        generation: 1 or 2.

    Returns:
        A quantizeml model, uint8 (N, H, W, 3) to float logits (N, classes).

    Raises:
        QanaError: what came out is another network than `model`.
    """
    model = leave_bounds_to_sums(model, plan)
    holders = {entry.name: _grid_holder(model.get_layer(entry.name), entry) for entry in plan}
    with akida_generation(generation), fatal_sdk_warnings("quantization"), quick_recorders():
        quantized = quantizeml.models.quantize(
            model,
            q_config={name: config for entry in plan for name, config in _configs(model, entry, holders)},
            qparams=quantizeml.layers.QuantizationParams(
                weight_bits=plan[-1].weight_bits,
                input_weight_bits=plan[0].weight_bits,
                # On v1 the SDK's default, per axis, makes a wrong program without a word.
                per_tensor_activations=True,
            ),
            samples=images,
            num_samples=len(images),
            batch_size=len(images),
        )
    require_same_network(model, quantized)
    for entry in plan:
        _restore(quantized, model, entry, holders[entry.name])
    faults = changed_weights(model, quantized)
    for entry in plan:
        faults += _grid_faults(quantized, entry, holders[entry.name])
    _refuse_quantized(faults)
    return quantized


def require_same_network(model: keras.Model, quantized: keras.Model) -> None:
    """Refuse a quantized network with other layers, paddings, strides, kernels or connections than `model`.

    Raises:
        QanaError: names every layer and difference.
    """
    _refuse_quantized(structure_faults(model, quantized))


def require_per_tensor(quantized: keras.Model) -> None:
    """Refuse a network for Akida v1 whose activations have a range per channel.

    The program would be wrong (correlation 0.62 with its own float network was seen), and the SDK's own guard
    never fires: it compares a list with a string (cnn2snn 2.19.3).

    Raises:
        QanaError: names the layers.
    """
    layers = per_axis_layers(quantized)
    if layers:
        raise QanaError(
            f"{len(layers)} layer(s) have activations per channel: {listed(layers)}",
            where="conversion.generation = 1",
            allowed="activations per tensor on Akida v1",
            fix="quantize with per_tensor_activations=True",
        )


def convert_keras(quantized: keras.Model, *, generation: int) -> akida.Model:
    """Convert a quantized model to an Akida program for the software backend.

    Raises:
        QanaError: the SDK refuses a layer, leaves out the end of the network or connects it otherwise, or
            changed a v1 program to fit it into the registers of the chip.
    """
    if generation == 1:
        require_per_tensor(quantized)
    with akida_generation(generation), eagerly(), fatal_sdk_warnings("conversion"):
        try:
            program = cnn2snn.convert(quantized)
        except (RuntimeError, ValueError, TypeError) as error:
            raise QanaError(
                f"the Akida converter refuses the network: {' '.join(str(error).split())}",
                where="conversion.name",
                allowed=f"what cnn2snn {cnn2snn.__version__} converts for Akida v{generation}",
                fix="build the network from the units in qana.backbone.unit, or choose another conversion",
            ) from error
    require_whole_program(quantized, program)
    if generation == 1:
        require_v1_limits(program)
    return program


def require_whole_program(quantized: keras.Model, program: akida.Model) -> None:
    """Refuse a program that is not all of the quantized network, layer behind layer, with its one output.

    Raises:
        QanaError: names the layers.
    """
    faults = program_faults(quantized, program)
    if faults:
        raise QanaError(
            f"the Akida program is not the quantized network: {listed(faults)}",
            where="conversion.name",
            allowed="a program that holds every layer with weights, in order, and one output",
            fix="change the first layer that is named; what follows it may have been cut off",
        )


@contextmanager
def eagerly() -> Iterator[None]:
    """Run quantized models operation by operation.

    cnn2snn traces the model into a graph only to read its scales and shifts once: 10 s instead of 0.7 s for
    the default network. The graph optimizer also turns ``x / 7`` into ``x * (1 / 7)``, so the scale of the
    logits was off by the last bit; here it is the one that training computed.
    """
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


@contextmanager
def akida_generation(generation: int) -> Iterator[None]:
    """Select Akida v1 or v2 for quantization and conversion; the SDK silently takes v2 otherwise."""
    with cnn2snn.set_akida_version(AkidaVersion.v1 if generation == 1 else AkidaVersion.v2):
        yield


def _refuse_quantized(faults: list[str]) -> None:
    if faults:
        raise QanaError(
            f"quantization made another network: {listed(faults)}",
            where="backbone, conversion.name",
            allowed="layers, paddings, strides, connections, weights and grids of the float Keras network",
            fix="rewrite the first layer that is named so that the chip pads and orders it as torch does",
        )


def _grid_holder(layer: Any, entry: PlannedLayer) -> str | None:
    """Name of the layer behind `layer` whose output quantizer holds its grid; None for logits."""
    if entry.output_bits is None:
        return None
    if entry.weight_bits is None:
        return entry.name  # a sum holds its own
    wanted = keras.layers.GlobalAveragePooling2D if entry.pooled else keras.layers.ReLU
    while not isinstance(layer, wanted):
        layer = layer.outbound_nodes[0].layer
    return str(layer.name)


def _configs(
    model: keras.Model, entry: PlannedLayer, holders: dict[str, str | None]
) -> Iterator[tuple[str, dict[str, Any]]]:
    layer = model.get_layer(entry.name)
    weights = {"bitwidth": entry.weight_bits}
    if isinstance(layer, keras.layers.SeparableConv2D):
        yield entry.name, {"dw_weight_quantizer": weights, "pw_weight_quantizer": dict(weights)}
    elif entry.weight_bits is not None:
        yield entry.name, {"weight_quantizer": weights}
    holder = holders[entry.name]
    if holder is not None:
        quantizer = {
            "bitwidth": entry.output_bits,
            "signed": entry.output_signed,
            "axis": "per-tensor",
            "buffer_bitwidth": BUFFER_BITS,
        }
        yield holder, {"output_quantizer": quantizer}


def _restore(quantized: keras.Model, model: keras.Model, entry: PlannedLayer, holder: str | None) -> None:
    trained = model.get_layer(entry.name).get_weights()
    layer = quantized.get_layer(entry.name)
    layer.set_weights(trained + layer.get_weights()[len(trained) :])
    if holder is not None:
        quantizer = quantized.get_layer(holder).out_quantizer
        quantizer.range_max.assign(entry.range_max)
        quantizer.rescaling_rate.assign(1.0)


def _grid_faults(quantized: keras.Model, entry: PlannedLayer, holder: str | None) -> Iterator[str]:
    """Grids of one layer that are not those of `entry`, read from the quantizers themselves."""
    layer = quantized.get_layer(entry.name)
    for name in ("weight_quantizer", "dw_weight_quantizer", "pw_weight_quantizer"):
        quantizer = getattr(layer, name, None)
        if quantizer is not None and quantizer.bitwidth != entry.weight_bits:
            yield f"{entry.name}: weights of {quantizer.bitwidth} bits instead of {entry.weight_bits}"
    if holder is None:
        return
    output = quantized.get_layer(holder).out_quantizer
    found = (output.bitwidth, bool(output.signed), output.axis, float(output.range_max))
    wanted = (entry.output_bits, entry.output_signed, "per-tensor", entry.range_max)
    if found != wanted:
        yield f"{entry.name}: activations {found} instead of {wanted} (bits, sign, axis, largest)"
