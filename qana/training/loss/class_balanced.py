"""Cross-entropy weighted by the effective number of images, in which near-alike images add ever less."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from qana.training.loss.arguments import Argument, label_smoothing_argument, require
from qana.training.loss.class_weights import effective_number_weights
from qana.training.loss.expected_loss import expected_loss
from qana.training.loss.loss import Loss


class ClassBalanced(Loss):
    """Class-balanced softmax cross-entropy (Cui et al. 2019, arXiv:1901.05555, section 4.1).

    L_c = -w_c log p_c,  w_c ~ (1 - beta) / (1 - beta**n_c), summing to the number of classes

    Args:
        beta: 0 <= beta < 1; 0 is the plain cross-entropy, towards 1 the weights become the inverse frequency.
        label_smoothing: share of the label that is spread evenly over all classes (Szegedy et al. 2016,
            arXiv:1512.00567, section 7), 0 <= e < 1.

    Raises:
        QanaError: arguments outside their range.
    """

    weights: Tensor

    def __init__(self, *, beta: float, label_smoothing: float) -> None:
        super().__init__()
        require(
            Argument("beta", beta, 0 <= beta < 1, "0 up to, not including, 1"),
            label_smoothing_argument(label_smoothing),
        )
        self.beta, self.label_smoothing = beta, label_smoothing
        self.register_buffer("weights", torch.empty(0), persistent=False)

    def set_class_counts(self, counts: Tensor) -> None:
        self.weights = effective_number_weights(counts, beta=self.beta)

    def forward(self, logits: Tensor, target: Tensor, progress: float) -> Tensor:
        losses = -self.weights * F.log_softmax(logits, 1)  # (N, C)
        return expected_loss(losses, target, label_smoothing=self.label_smoothing)
