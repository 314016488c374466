"""Cross-entropy in which an image counts the less, the surer the network already is of its label."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from qana.training.loss.arguments import Argument, label_smoothing_argument, require
from qana.training.loss.expected_loss import expected_loss
from qana.training.loss.loss import Loss


class Focal(Loss):
    """Focal loss (Lin et al. 2017, arXiv:1708.02002, eq. 4), over a softmax instead of the paper's sigmoid.

    L_c = -(1 - p_c)**gamma log p_c,  p = softmax(logits)

    The paper's class factor alpha is left out: `ClassBalanced` and `Weighted` have class weights.

    Args:
        gamma: 0 is the plain cross-entropy; the paper uses 2.
        label_smoothing: share of the label that is spread evenly over all classes (Szegedy et al. 2016,
            arXiv:1512.00567, section 7), 0 <= e < 1.

    Raises:
        QanaError: arguments outside their range.
    """

    def __init__(self, *, gamma: float, label_smoothing: float) -> None:
        super().__init__()
        require(
            Argument("gamma", gamma, gamma >= 0, "0 or more"),
            label_smoothing_argument(label_smoothing),
        )
        self.gamma, self.label_smoothing = gamma, label_smoothing

    def forward(self, logits: Tensor, target: Tensor, progress: float) -> Tensor:
        focus = (self.gamma * _log_complement(logits)).exp()
        losses = -focus * F.log_softmax(logits, 1)  # (N, C)
        return expected_loss(losses, target, label_smoothing=self.label_smoothing)


def _log_complement(logits: Tensor) -> Tensor:
    """log(1 - softmax(logits)), (N, C), exact where the softmax rounds to 1.

    (1 - p)**gamma itself has an infinite slope there if gamma < 1.
    """
    label = torch.eye(logits.shape[1], dtype=torch.bool, device=logits.device)
    others = logits[:, None, :].masked_fill(label, -torch.inf)  # (N, C, C): row c lacks class c
    return others.logsumexp(2) - logits.logsumexp(1, keepdim=True)
