"""The product of the conversion stage. Plain data: imports neither TensorFlow nor Akida."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class MappingReport:
    """How the program sits on the device. Source: ``akida.Model.map`` on the virtual device."""

    device: str
    sequences: int
    passes: int
    nps: int
    program_bytes: int
    hardware_only: bool


@dataclass(frozen=True)
class Conversion:
    """A trained network as a program for one target, with what every stage said on the test images.

    Attributes:
        target: target name, such as ``akd1000``.
        generation: Akida generation, 1 or 2.
        logits: stage name (onnx, keras, quantized_keras, akida) to (N, classes) float32.
        layers: one report per Akida layer, input first.
        mapping: how it sits on the device.
        coverage: share of the torch layers with weights that are found in the Akida program; 1.0 or refused.
        files: artifact name (model.onnx, model.h5, model.fbz) to path.
    """

    target: str
    generation: int
    logits: Mapping[str, NDArray[np.float32]]
    layers: tuple[LayerReport, ...]
    mapping: MappingReport
    coverage: float
    files: Mapping[str, Path]
