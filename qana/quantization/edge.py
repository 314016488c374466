"""Quantization for learning on the chip: the last activation has few bits, 1 for Akida's learning layer."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from qana.backbone.network import Network
from qana.backbone.unit import Unit
from qana.errors import QanaError
from qana.quantization.calibrate import best_clip, calibrate
from qana.quantization.fold import fold
from qana.quantization.network import QuantizedNetwork
from qana.quantization.scheme import POOLED_BITS, Quantization
from qana.quantization.unit import Bits


class EdgeQuantization(Quantization):
    """As `Quantization`, with a width of its own for the activation that the last layer reads.

    Args:
        weight_bits: bits of a weight, 2 to 8.
        activation_bits: bits of an activation, 2 to 8.
        input_weight_bits: weight bits of the first layer, which reads 8-bit pixels.
        generation: 1; the second one does not learn.
        calibration_images: training images that set the activation bounds.
        last_activation_bits: bits of the last activation, 1 to 4.
    """

    def __init__(
        self,
        *,
        weight_bits: int,
        activation_bits: int,
        input_weight_bits: int,
        generation: int,
        calibration_images: int,
        last_activation_bits: int,
    ) -> None:
        super().__init__(
            weight_bits=weight_bits,
            activation_bits=activation_bits,
            input_weight_bits=input_weight_bits,
            generation=generation,
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

    def apply(self, network: Network, images: Tensor) -> QuantizedNetwork:
        value_bits, images = self._value_bits(), images[: self.calibration_images]
        folded = fold(network)
        calibrate(folded, images, value_bits=value_bits)
        _calibrate_last(folded, images, self.last_activation_bits)
        quantized = QuantizedNetwork(
            folded,
            bits=Bits(self.weight_bits, value_bits, POOLED_BITS),
            input_weight_bits=self.input_weight_bits,
            generation=self.generation,
        )
        last = quantized.units()[-2]
        last.bits = replace(last.bits, activation=self.last_activation_bits)
        quantized.link()
        return quantized.train()


@torch.no_grad()
def _calibrate_last(folded: Network, images: Tensor, value_bits: int) -> None:
    """Clip the last activation where that costs least at its own width, as `calibrate` does."""
    *_, last, head = folded.blocks
    assert isinstance(last, Unit)
    assert isinstance(head, Unit)
    clip = best_clip(folded.blocks[:-1](images), value_bits)
    conv = last.weighted()[-1]
    assert conv.bias is not None
    conv.weight.div_(clip)
    conv.bias.div_(clip)
    head.weighted()[-1].weight.mul_(clip)
