"""What `conversion=none` chooses: no chip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qana.backbone.network import Network
from qana.quantization.network import QuantizedNetwork
from qana.quantization.scheme import Quantization


class NoTarget:
    """No chip: the run ends with the trained network.

    Args:
        name: ``none``.
        generation: whose integers a quantized network is trained on all the same.
        form: which form of a backbone to build.
    """

    def __init__(self, *, name: str, generation: int, form: str) -> None:
        self.name, self.generation, self.form = name, generation, form

    def check(
        self, network: Network, quantization: Quantization | None, image_shape: tuple[int, int, int]
    ) -> None:
        """Nothing to refuse: whatever torch runs is fine."""

    def convert(self, network: QuantizedNetwork, *, images: NDArray[np.uint8], folder: Path) -> None:
        """Nothing to convert."""
