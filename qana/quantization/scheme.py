"""What `quantization=` chooses: bit-widths, and the rewrite from a float network to one on integers."""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor

from qana.backbone.network import Network
from qana.errors import QanaError
from qana.quantization.calibrate import calibrate
from qana.quantization.clipping import ClipMethod, Clipping
from qana.quantization.fold import fold, require_quantizable
from qana.quantization.learned_range import learn_ranges
from qana.quantization.network import QuantizedNetwork
from qana.quantization.soundness import require_finite
from qana.quantization.ternary import WeightRule
from qana.quantization.unit import Bits

Ranges = Literal["calibrated", "learned"]

POOLED_BITS = 7  # without a sign: a global average on Akida v2 leaves on 8 signed bits


class Quantization:
    """Quantization-aware training on the integers of one Akida generation.

    Args:
        weight_bits: bits of a weight, 2 to 8, sign included. One bit is refused: the SDK's signed weight grid
            has no value but 0 there (``weight_quantizer.py``), and the 1-bit weights of the v1 chip are 0 and
            1, which no layer with a minus sign fits.
        weight_rule: how a weight's scale is chosen: ``max``, the largest weight takes the largest code, or
            ``ternary`` at 2 bits (see `qana.quantization.ternary`). The first layer always takes ``max``.
        activation_bits: bits of an activation, 1 to 8.
        input_weight_bits: weight bits of the first layer, which reads 8-bit pixels.
        generation: 1 or 2; whose arithmetic to follow.
        calibration: where activations are clipped before training goes on; see `Clipping`.
        percentile: of ``percentile``, above 0, at most 100.
        ranges: ``calibrated``, or ``learned`` from there on (`qana.quantization.learned_range`).
        calibration_images: training images that set the activation bounds.
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
    ) -> None:
        self.weight_bits, self.weight_rule = weight_bits, weight_rule
        self.activation_bits = activation_bits
        self.input_weight_bits = input_weight_bits
        self.generation = generation
        self.calibration, self.percentile = calibration, percentile
        self.ranges = ranges
        self.calibration_images = calibration_images
        self._check()

    def _check(self) -> None:
        faults = {
            "weight_bits": not 2 <= self.weight_bits <= 8,
            "weight_rule": self.weight_rule not in get_args(WeightRule)
            or (self.weight_rule == "ternary" and self.weight_bits != 2),
            "activation_bits": not 1 <= self.activation_bits <= 8,
            "input_weight_bits": not 2 <= self.input_weight_bits <= 8,
            "generation": self.generation not in (1, 2),
            "calibration": self.calibration not in get_args(ClipMethod),
            "percentile": not 0 < self.percentile <= 100,
            "ranges": self.ranges not in get_args(Ranges),
            "calibration_images": self.calibration_images < 1,
        }
        wrong = [f"{name} = {getattr(self, name)}" for name, fault in faults.items() if fault]
        if wrong:
            raise QanaError(
                f"quantization with {', '.join(wrong)} is not possible",
                where=", ".join(f"quantization.{fault}" for fault in wrong),
                allowed="weights of 2 to 8 bits, activations of 1 to 8 bits; ternary weights at 2 bits;"
                f" generation 1 or 2; calibration {', '.join(get_args(ClipMethod))}; a percentile above 0, at"
                f" most 100; ranges {' or '.join(get_args(Ranges))}; at least 1 calibration image",
                fix="correct the values named above, or choose quantization=w4a4 or quantization=w8a8",
            )

    def apply(self, network: Network, images: Tensor) -> QuantizedNetwork:
        """Fold, calibrate and quantize.

        Args:
            network: trained float network; left as it is.
            images: (N, 3, H, W), float holding 0 to 255, from the training split.

        Returns:
            A network ready for quantization-aware training.

        Raises:
            QanaError: the network is not made of units, has a gate that never becomes a constant, weights
                that are not finite, or blocks whose ranges cannot be learned.
        """
        require_quantizable(network)
        folded = fold(network)
        require_finite(folded)
        self._calibrate(folded, images[: self.calibration_images])
        quantized = self._on_grids(folded)
        quantized.set_weight_rule(self.weight_rule)
        if self.ranges == "learned":
            learn_ranges(quantized)
        return quantized.train()

    def _calibrate(self, folded: Network, images: Tensor) -> None:
        """Choose where activations are clipped, in place."""
        calibrate(folded, images, clipping=self._clipping(self._value_bits()))

    def _on_grids(self, folded: Network) -> QuantizedNetwork:
        """Give every tensor of a calibrated network its grid."""
        return QuantizedNetwork(
            folded,
            bits=Bits(self.weight_bits, self._value_bits(), POOLED_BITS),
            input_weight_bits=self.input_weight_bits,
            generation=self.generation,
        )

    def _clipping(self, value_bits: int) -> Clipping:
        return Clipping(self.calibration, self.percentile, value_bits)

    def _value_bits(self) -> int:
        # Akida v2 stores activations of 8 bits with a sign, fewer without one.
        return self.activation_bits - 1 if self.activation_bits == 8 else self.activation_bits


class NoQuantization:
    """The float network stays as it is: instantiating gives None, which every stage reads as such."""

    def __new__(cls) -> None:  # type: ignore[misc]
        return None
