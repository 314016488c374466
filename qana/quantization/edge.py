"""Quantization for learning on the chip: the last activation has few bits, 1 for Akida's learning layer."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from qana.backbone.network import Network
from qana.backbone.unit import Unit
from qana.errors import QanaError
from qana.quantization.clipping import ClipMethod, Clipping
from qana.quantization.network import QuantizedNetwork
from qana.quantization.scheme import Quantization, Ranges
from qana.quantization.ternary import WeightRule


class EdgeQuantization(Quantization):
    """As `Quantization`, with a width of its own for the activation that the last layer reads.

    Args:
        weight_bits: bits of a weight, 2 to 8.
        weight_rule: as in `Quantization`.
        activation_bits: bits of an activation, 1 to 8.
        input_weight_bits: weight bits of the first layer, which reads 8-bit pixels.
        generation: 1; the second one does not learn.
        calibration: as in `Quantization`.
        percentile: as in `Quantization`.
        ranges: as in `Quantization`.
        calibration_images: training images that set the activation bounds.
        last_activation_bits: bits of the last activation, 1 to 4.
    """

    def __init__(
        self,
        *,
        weight_bits: int,
        weight_rule: WeightRule,
        activation_bits: int,
        input_weight_bits: int,
        generation: int,
        calibration: ClipMethod,
        percentile: float,
        ranges: Ranges,
        calibration_images: int,
        last_activation_bits: int,
    ) -> None:
        super().__init__(
            weight_bits=weight_bits,
            weight_rule=weight_rule,
            activation_bits=activation_bits,
            input_weight_bits=input_weight_bits,
            generation=generation,
            calibration=calibration,
            percentile=percentile,
            ranges=ranges,
            calibration_images=calibration_images,
        )
        if generation != 1 or not 1 <= last_activation_bits <= 4:
            raise QanaError(
                f"no last activation of {last_activation_bits} bits on generation {generation}",
                where=f"quantization.last_activation_bits = {last_activation_bits},"
                f" quantization.generation = {generation}",
                allowed="1 to 4 bits on the first generation",
                fix="choose conversion=akd1000 with quantization=w4a4_edge, or quantization=w4a4",
            )
        self.last_activation_bits = last_activation_bits

    def _calibrate(self, folded: Network, images: Tensor) -> None:
        super()._calibrate(folded, images)
        _calibrate_last(folded, images, self._clipping(self.last_activation_bits))

    def _on_grids(self, folded: Network) -> QuantizedNetwork:
        quantized = super()._on_grids(folded)
        last = quantized.units()[-2]
        last.bits = replace(last.bits, activation=self.last_activation_bits)
        quantized.link()
        return quantized


@torch.no_grad()
def _calibrate_last(folded: Network, images: Tensor, clipping: Clipping) -> None:
    """Clip the last activation where that costs least at its own width, as `calibrate` does."""
    *_, last, head = folded.blocks
    assert isinstance(last, Unit)
    assert isinstance(head, Unit)
    clip = clipping(folded.blocks[:-1](images))
    conv = last.weighted()[-1]
    assert conv.bias is not None
    conv.weight.div_(clip)
    conv.bias.div_(clip)
    head.weighted()[-1].weight.mul_(clip)
