"""Cross-entropy in which an image counts the more, the rarer its class is."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from qana.training.loss.arguments import label_smoothing_argument, require
from qana.training.loss.class_weights import inverse_frequency_weights
from qana.training.loss.expected_loss import expected_loss
from qana.training.loss.loss import Loss


class Weighted(Loss):
    """Cross-entropy times the inverse frequency of the label (King and Zeng 2001,
    doi:10.1093/oxfordjournals.pan.a004868).

    L_c = -w_c log p_c,  w_c = N / (C n_c): mean 1 over the training images

    The mean over a batch divides by its number of images, not by the sum of its weights as torch does: then
    a batch of common classes would count as much as one of rare classes.

    Args:
        label_smoothing: share of the label that is spread evenly over all classes (Szegedy et al. 2016,
            arXiv:1512.00567, section 7), 0 <= e < 1.

    Raises:
        QanaError: an argument outside its range.
    """

    weights: Tensor

    def __init__(self, *, label_smoothing: float) -> None:
        super().__init__()
        require(label_smoothing_argument(label_smoothing))
        self.label_smoothing = label_smoothing
        self.register_buffer("weights", torch.empty(0), persistent=False)

    def set_class_counts(self, counts: Tensor) -> None:
        self.weights = inverse_frequency_weights(counts)

    def forward(self, logits: Tensor, target: Tensor, progress: float) -> Tensor:
        losses = -self.weights * F.log_softmax(logits, 1)  # (N, C)
        return expected_loss(losses, target, label_smoothing=self.label_smoothing)
