"""What `conversion=none` chooses: no chip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from qana.backbone.network import Network
from qana.backbone.symmetry import require_upright
from qana.conversion.capabilities.walk import walk
from qana.errors import QanaError
from qana.quantization.fold import require_quantizable
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
        """Refuse what cannot be what its configuration says; whatever torch runs is fine otherwise.

        Raises:
            QanaError: a network that is to be quantized cannot be, one from elsewhere does not run on images
                of this size, or a symmetric one would not be symmetric on them.
        """
        require_upright(network, image_shape)
        if not isinstance(network, Network):
            _require_answer(network, image_shape)
        if quantization is not None:
            require_quantizable(network)

    def convert(self, network: QuantizedNetwork, *, images: NDArray[np.uint8], folder: Path) -> None:
        """Nothing to convert."""


def _require_answer(network: nn.Module, image_shape: tuple[int, int, int]) -> None:
    failure = walk(network, image_shape).failure
    if failure is not None:
        height, width = image_shape[:2]
        raise QanaError(
            f"the network gives no answer to an image of {height}x{width}: {failure}",
            where="backbone, dataset.image_size",
            allowed="a network that takes pixels (N, 3, H, W) of this size",
            fix="choose the image size that the network wants (dataset.image_size), or another backbone",
        )
