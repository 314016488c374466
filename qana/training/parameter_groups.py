"""Which weights decay and how far they may step: what AdamW cannot find out by itself."""

from __future__ import annotations

from typing import Any

from torch import nn

from qana.backbone.network import PIXEL_SCALE
from qana.quantization.grid import PIXELS
from qana.quantization.unit import QuantizedUnit


def parameter_groups(
    network: nn.Module, *, learning_rate: float, weight_decay: float
) -> list[dict[str, Any]]:
    """Groups for AdamW: weights, weights that read raw pixels, biases and norms (which do not decay).

    An AdamW step has the size of the learning rate whatever the gradient is. A quantized stem reads 0 to 255
    where every other layer reads 0 to 1, so its weights are 255 times smaller, and a common rate would
    overwrite them within a few steps. Their group steps as if they were held times 255.

    Args:
        network: float or quantized.
        learning_rate: of weights that read activations.
        weight_decay: likewise.
    """
    pixel_weights = [
        unit.unit.weighted()[0].weight
        for unit in network.modules()
        if isinstance(unit, QuantizedUnit) and unit.input_grid == PIXELS
    ]
    reads_pixels = {id(weight) for weight in pixel_weights}
    weights = [p for p in network.parameters() if p.ndim > 1 and id(p) not in reads_pixels]
    others = [p for p in network.parameters() if p.ndim <= 1]
    pixel_rates = {"lr": learning_rate * PIXEL_SCALE, "weight_decay": weight_decay / PIXEL_SCALE}
    groups: list[dict[str, Any]] = [
        {"params": weights, "lr": learning_rate, "weight_decay": weight_decay},
        {"params": others, "lr": learning_rate, "weight_decay": 0.0},
    ]
    return [*groups, {"params": pixel_weights, **pixel_rates}] if pixel_weights else groups
