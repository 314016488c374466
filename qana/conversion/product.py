"""The product of the conversion stage. Plain data: imports neither TensorFlow nor Akida."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LayerReport:
    """One layer of the Akida program, as mapped and as seen on the test images.

    Attributes:
        name: layer name in the Akida model.
        kind: Akida layer type, such as ``SeparableConvolutional``.
        output_shape: (X, Y, C) as Akida reports it.
        macs: dense multiply-accumulates for one image.
        weight_bytes: bytes of weights at their bit-width.
        nps: neural processors given to the layer on the device; 0 for an input layer outside the mesh.
        input_sparsity: share of zeros in the layer's input on test images, 0 to 1.
        output_sparsity: share of zeros in the layer's output on test images, 0 to 1.
        max_error_lsb: largest |torch - akida| over the layer's integer outputs, in units of the last
            bit; None where the layer ends in float potentials.
        saturated_share: share of outputs at the top of their range, 0 to 1; None for potentials.
        dead_share: share of output channels that are zero on all compared images, 0 to 1; None for
            potentials.
        headroom_bits: log2 of the register's range over the largest accumulator seen; None where not seen.
    """

    name: str
    kind: str
    output_shape: tuple[int, int, int]
    macs: int
    weight_bytes: int
    nps: int
    input_sparsity: float
    output_sparsity: float
    max_error_lsb: float | None
    saturated_share: float | None
    dead_share: float | None
    headroom_bits: float | None


@dataclass(frozen=True)
class MappingReport:
    """How the program sits on the device. Source: ``akida.Model.map`` on the virtual device.

    Attributes:
        device: name of the device.
        sequences: parts of the program that run one after the other.
        passes: times that the device is reprogrammed for one image, at least one per sequence.
        nps: neural processors in use.
        program_bytes: size of the program.
        hardware_only: whether every layer runs on the device.
        nps_by_layer: layer name to its neural processors.
        sram_bytes: on-chip memory in use; None where the SDK does not tell.
        external_memory_bytes: memory beside the chip in use; None where the SDK does not tell.
        nps_available: neural processors of the device; None where the SDK does not tell.
        components: layer name to the kind of neural processor it runs on, such as ``CNP1``.
        mode: of the mapper: ``AllNps``, its default, or ``Minimal`` where that takes fewer passes.
        advice: what to shrink when the program takes more than one pass or does not fit.
        failure: how the mapper ended before it was done; every number above is 0 then. None otherwise.
    """

    device: str
    sequences: int
    passes: int
    nps: int
    program_bytes: int
    hardware_only: bool
    nps_by_layer: Mapping[str, int] = field(default_factory=dict)
    sram_bytes: int | None = None
    external_memory_bytes: int | None = None
    nps_available: int | None = None
    components: Mapping[str, str] = field(default_factory=dict)
    mode: str = "AllNps"
    advice: tuple[str, ...] = ()
    failure: str | None = None


@dataclass(frozen=True)
class Conversion:
    """A trained network as a program for one target, with what every stage said on the test images.

    Attributes:
        target: target name, such as ``akd1000``.
        generation: Akida generation, 1 or 2.
        logits: stage name (torch where there is a trained network, onnx, keras, quantized_keras, akida) to
            (N, classes) float32.
        layers: one report per Akida layer, input first.
        mapping: how it sits on the device.
        coverage: share of the modules with weights whose weights are in the Akida program; 1.0 or refused.
        files: artifact name (model.onnx, model.h5, model.fbz) to path.
    """

    target: str
    generation: int
    logits: Mapping[str, NDArray[np.float32]]
    layers: tuple[LayerReport, ...]
    mapping: MappingReport
    coverage: float
    files: Mapping[str, Path]
