"""Refuse an Akida v1 program that the SDK bent to fit the registers of the chip.

A step beyond its register is cut to the limit, and the weights that read the channel are divided by the
excess and rounded down: every positive code loses one. Thresholds are cut likewise
(``cnn2snn/transforms/act_step_equalization.py``, cnn2snn 2.19.3). Neither raises anything, and the
software backend computes with any value, so the numbers alone would only show another network.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import akida
import numpy as np

from qana.errors import QanaError, listed


@dataclass(frozen=True)
class Registers:
    """What one processor of an AKD1000 holds (``act_step_equalization.py``; the mapper says the same).

    Attributes:
        act_step: largest step; the SDK puts this value where more was asked for.
        threshold: largest threshold, likewise; the smallest is ``-threshold - 1``.
    """

    act_step: int
    threshold: int


INPUT_REGISTERS = Registers(act_step=2**20 - 1, threshold=2**23 - 1)
REGISTERS = Registers(act_step=2**16 - 1, threshold=2**19 - 1)


def require_v1_limits(program: akida.Model) -> None:
    """Refuse a converted v1 program with steps or thresholds at or beyond the limits of the chip.

    Args:
        program: as `cnn2snn.convert` gave it. Layers without activation are left out: they end in
            potentials, which the host divides by their step.

    Raises:
        QanaError: names every layer, and how many of its channels do not fit.
    """
    faults = [fault for layer in program.layers for fault in _faults(layer)]
    if faults:
        raise QanaError(
            f"{len(faults)} value(s) of the program do not fit the registers of Akida v1: {listed(faults)}",
            where="conversion.generation = 1",
            allowed=(
                f"steps below {REGISTERS.act_step} and thresholds of 20 bits, in the first layer "
                f"below {INPUT_REGISTERS.act_step} and of 24 bits"
            ),
            fix="these channels have almost no weights: make their layers narrower or lower "
            "training.weight_decay, or choose conversion=akida2",
        )


def _faults(layer: akida.Layer) -> Iterator[str]:
    if "act_step" not in layer.variables.names or not layer.parameters.activation:
        return
    is_input = layer.parameters.layer_type == akida.LayerType.InputConvolutional
    registers = INPUT_REGISTERS if is_input else REGISTERS
    step, threshold = layer.variables["act_step"], layer.variables["threshold"]
    # At the limit counts as beyond it: that is the value which the SDK leaves behind.
    large = int(np.sum(step >= registers.act_step))
    if large:
        yield f"{layer.name}: activation step above {registers.act_step} in {large} of {step.size} channels"
    wide = int(np.sum((threshold >= registers.threshold) | (threshold < -registers.threshold - 1)))
    if wide:
        yield f"{layer.name}: threshold beyond {registers.threshold} in {wide} of {threshold.size} channels"
