"""Cross-entropy: every image counts the same."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from qana.training.loss.arguments import label_smoothing_argument, require
from qana.training.loss.loss import Loss


class CrossEntropy(Loss):
    """Minus the logarithm of the probability that the network gives to the label.

    L_c = -log p_c,  p = softmax(logits)

    Args:
        label_smoothing: share of the label that is spread evenly over all classes (Szegedy et al. 2016,
            arXiv:1512.00567, section 7), 0 <= e < 1.

    Raises:
        QanaError: an argument outside its range.
    """

    def __init__(self, *, label_smoothing: float) -> None:
        super().__init__()
        require(label_smoothing_argument(label_smoothing))
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, target: Tensor, progress: float) -> Tensor:
        return F.cross_entropy(logits, target, label_smoothing=self.label_smoothing)
