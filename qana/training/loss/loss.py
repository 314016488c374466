"""What every loss offers to the training, whichever formula is inside."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Loss(nn.Module, ABC):
    """A function of logits and target that is told the training images of each class before its first use.

    Attributes:
        settled_from: share of the training from which on the function stays the same, 0 to 1. A phase is not
            stopped early before it.
    """

    settled_from: float = 0.0

    def set_class_counts(self, counts: Tensor) -> None:
        """Prepare for the training images; losses that treat all classes alike do nothing here.

        What follows from the counts is no part of a checkpoint.

        Args:
            counts: (C,) training images of each class, whatever the sampler shows of them; at least one
                class is not empty.
        """

    @abstractmethod
    def forward(self, logits: Tensor, target: Tensor, progress: float) -> Tensor:
        """Mean over the images of the expected loss over the labels that each image may have.

        Args:
            logits: (N, C) float32.
            target: (N,) int64 class indices, or (N, C) float shares that sum to 1, as mixup makes them.
            progress: share of the training that is done, 0 to 1; see `Training`.

        Returns:
            () float32.
        """
