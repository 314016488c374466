"""One of the two phases of a training."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Phase:
    """What differs between the float and the quantized phase.

    Attributes:
        name: ``float`` or ``quantized``; prefix of every metric.
        epochs: at most.
        learning_rate: peak of the schedule.
        weight_decay: of AdamW.
        precision: Lightning's.
        progress: share of the training that is done before and after the phase, as the loss is told it. The
            float phase is the training, from 0 to 1; the quantized phase fine-tunes at 1.
    """

    name: str
    epochs: int
    learning_rate: float
    weight_decay: float
    precision: str
    progress: tuple[float, float]

    @property
    def sampler_epochs(self) -> int:
        """Epochs in which a progressive sampler reaches its end; one epoch is the end already."""
        return self.epochs if self.progress[0] < 1 else 1
