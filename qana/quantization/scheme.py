"""What `quantization=` chooses: bit-widths, and the rewrite from a float network to one on integers."""

from __future__ import annotations

from torch import Tensor

from qana.backbone.network import Network
from qana.errors import QanaError
from qana.quantization.calibrate import calibrate
from qana.quantization.fold import fold, require_quantizable
from qana.quantization.network import QuantizedNetwork
from qana.quantization.unit import Bits

POOLED_BITS = 7  # without a sign: a global average on Akida v2 leaves on 8 signed bits


class Quantization:
    """Quantization-aware training on the integers of one Akida generation.

    Args:
        weight_bits: bits of a weight, 2 to 8.
        activation_bits: bits of an activation, 2 to 8.
        input_weight_bits: weight bits of the first layer, which reads 8-bit pixels.
        generation: 1 or 2; whose arithmetic to follow.
        calibration_images: training images that set the activation bounds.
    """

    def __init__(
        self,
        *,
        weight_bits: int,
        activation_bits: int,
        input_weight_bits: int,
        generation: int,
        calibration_images: int,
    ) -> None:
        faults = {
            "weight_bits": (weight_bits, not 2 <= weight_bits <= 8),
            "activation_bits": (activation_bits, not 2 <= activation_bits <= 8),
            "input_weight_bits": (input_weight_bits, not 2 <= input_weight_bits <= 8),
            "generation": (generation, generation not in (1, 2)),
            "calibration_images": (calibration_images, calibration_images < 1),
        }
        wrong = [f"{name} = {value}" for name, (value, fault) in faults.items() if fault]
        if wrong:
            raise QanaError(
                f"quantization with {', '.join(wrong)} is not possible",
                where=", ".join(f"quantization.{fault}" for fault in wrong),
                allowed="2 to 8 bits; generation 1 or 2; at least 1 calibration image",
                fix="choose quantization=w4a4 or quantization=w8a8",
            )
        self.weight_bits = weight_bits
        self.activation_bits = activation_bits
        self.input_weight_bits = input_weight_bits
        self.generation = generation
        self.calibration_images = calibration_images

    def apply(self, network: Network, images: Tensor) -> QuantizedNetwork:
        """Fold, calibrate and quantize.

        Args:
            network: trained float network; left as it is.
            images: (N, 3, H, W), float holding 0 to 255, from the training split.

        Returns:
            A network ready for quantization-aware training.

        Raises:
            QanaError: the network is not made of units, or has a gate that never becomes a constant.
        """
        require_quantizable(network)
        value_bits = self._value_bits()
        folded = fold(network)
        calibrate(folded, images[: self.calibration_images], value_bits=value_bits)
        quantized = QuantizedNetwork(
            folded,
            bits=Bits(self.weight_bits, value_bits, POOLED_BITS),
            input_weight_bits=self.input_weight_bits,
            generation=self.generation,
        )
        return quantized.train()

    def _value_bits(self) -> int:
        # Akida v2 stores activations of 8 bits with a sign, fewer without one.
        return self.activation_bits - 1 if self.activation_bits == 8 else self.activation_bits


class NoQuantization:
    """The float network stays as it is: instantiating gives None, which every stage reads as such."""

    def __new__(cls) -> None:  # type: ignore[misc]
        return None
