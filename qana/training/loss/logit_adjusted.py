"""Cross-entropy that knows how common each class is, so that the logits need not learn it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from qana.training.loss.arguments import Argument, label_smoothing_argument, require
from qana.training.loss.expected_loss import expected_loss
from qana.training.loss.loss import Loss


class LogitAdjusted(Loss):
    """Logit-adjusted softmax cross-entropy (Menon et al. 2021, arXiv:2007.07314, section 5).

    L_c = -log softmax(logits + tau log prior)_c,  prior_c = n_c / N

    The adjustment belongs to the training; the network's own logits are then right for evenly common classes.
    Deviation, only where a class has no images: its prior is that of one image, not 0.

    Args:
        tau: 0 is the plain cross-entropy, 1 is consistent for the balanced error.
        label_smoothing: share of the label that is spread evenly over all classes (Szegedy et al. 2016,
            arXiv:1512.00567, section 7), 0 <= e < 1.

    Raises:
        QanaError: arguments outside their range.
    """

    adjustment: Tensor

    def __init__(self, *, tau: float, label_smoothing: float) -> None:
        super().__init__()
        require(
            Argument("tau", tau, tau >= 0, "0 or more"),
            label_smoothing_argument(label_smoothing),
        )
        self.tau, self.label_smoothing = tau, label_smoothing
        self.register_buffer("adjustment", torch.empty(0), persistent=False)

    def set_class_counts(self, counts: Tensor) -> None:
        prior = counts.double().clamp(min=1) / counts.sum()
        self.adjustment = (self.tau * prior.log()).float()

    def forward(self, logits: Tensor, target: Tensor, progress: float) -> Tensor:
        losses = -F.log_softmax(logits + self.adjustment, 1)  # (N, C)
        return expected_loss(losses, target, label_smoothing=self.label_smoothing)
