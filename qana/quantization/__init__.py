"""Quantization-aware layers on the chip's own integers; folding of norms and gates."""

from qana.quantization.edge import EdgeQuantization
from qana.quantization.fold import fold
from qana.quantization.network import QuantizedNetwork
from qana.quantization.scheme import NoQuantization, Quantization
from qana.quantization.unit import QuantizedUnit

__all__ = ["EdgeQuantization", "NoQuantization", "Quantization", "QuantizedNetwork", "QuantizedUnit", "fold"]
