"""Fewer events, less energy: a price on every activation that is not zero."""

from __future__ import annotations

from torch import Tensor, nn

from qana.quantization.unit import QuantizedUnit
from qana.training.unit_outputs import UnitOutputs


class EventPenalty:
    """The mean activation of a quantized network, as a share of the largest code: 0 without any event.

    weight * sum of all codes / (sum over layers of outputs * largest code)

    The chip computes for events, that is for codes that are not zero. Their number has no gradient; the L1
    norm of the activations has, and pulls the same way (Glorot et al. 2011, section 3.2; on Akida, fewer
    events per layer). Every activation of the network counts alike.

    Args:
        network: quantized.
        weight: of the penalty, at least 0.
    """

    name = "event_penalty"

    def __init__(self, network: nn.Module, *, weight: float) -> None:
        self._weight = weight
        units = [(name, unit) for name, unit in network.named_modules() if isinstance(unit, QuantizedUnit)]
        grids = {name: unit.output_grid for name, unit in units}
        self._largest = {name: grid.largest_code for name, grid in grids.items() if grid is not None}
        self._outputs = UnitOutputs(
            [(name, unit) for name, unit in units if name in self._largest], only_training=True
        )

    def __call__(self, images: Tensor, logits: Tensor) -> Tensor:
        """The penalty of the batch that the network has just seen, ()."""
        del images
        outputs = self._outputs.take()
        most = sum(codes.numel() * self._largest[name] for name, codes in outputs.items())
        total = logits.new_zeros(())
        for codes in outputs.values():
            total = total + codes.sum()
        return self._weight * total / most

    def close(self) -> None:
        """Leave the network as it was found."""
        self._outputs.close()
