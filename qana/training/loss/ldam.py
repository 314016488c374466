"""A margin that is wider for rarer classes, then, late in the training, class weights on top."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from qana.training.loss.arguments import Argument, require
from qana.training.loss.class_weights import effective_number_weights
from qana.training.loss.expected_loss import expected_loss
from qana.training.loss.loss import Loss


class Ldam(Loss):
    """Label-distribution-aware margin loss with deferred re-weighting (Cao et al. 2019, arXiv:1906.07413).

    L_c = -w_c log softmax(scale (logits - margin_c at class c))_c
    margin_c ~ n_c**(-1/4), the largest being max_margin
    w_c = 1 before the share `reweight_from` of the training, then the effective-number weights

    Deviations: the paper normalises features and weights of the last layer, so that logits are cosines. The
    last layer of a network for the chip is free: `max_margin` is in units of its logits. Probabilities are
    read from these as they are, so that a `scale` above 1 makes them too flat. The mean over a batch divides
    by its number of images, not by the sum of their weights.

    There is no label smoothing here: every class would be a label with some small share, and the margin,
    widest for the rarest, would then push against the true class as well.

    A class without training images has the widest margin and, once weights are on, weight 0.

    Args:
        max_margin: margin of the rarest class, above 0.
        scale: factor of the logits within the loss, above 0.
        reweight_from: share of the training (of its float phase, see `Training`) that is done when the
            weights come in, 0 <= share < 1.
        beta: of the effective number, see `ClassBalanced`; 0 for no re-weighting.

    Raises:
        QanaError: arguments outside their range.
    """

    margins: Tensor
    weights: Tensor

    def __init__(self, *, max_margin: float, scale: float, reweight_from: float, beta: float) -> None:
        super().__init__()
        require(
            Argument("max_margin", max_margin, max_margin > 0, "above 0"),
            Argument("scale", scale, scale > 0, "above 0"),
            Argument("reweight_from", reweight_from, 0 <= reweight_from < 1, "0 up to, not including, 1"),
            Argument("beta", beta, 0 <= beta < 1, "0 (no re-weighting) up to, not including, 1"),
        )
        self.max_margin, self.scale, self.beta = max_margin, scale, beta
        self.reweight_from = self.settled_from = reweight_from
        self.register_buffer("margins", torch.empty(0), persistent=False)
        self.register_buffer("weights", torch.empty(0), persistent=False)

    def set_class_counts(self, counts: Tensor) -> None:
        rarest = counts[counts > 0].min()
        ratio = rarest / counts.double().clamp(min=rarest)  # 1 for the rarest and for classes without images
        self.margins = (self.max_margin * ratio**0.25).float()
        self.weights = effective_number_weights(counts, beta=self.beta)

    def forward(self, logits: Tensor, target: Tensor, progress: float) -> Tensor:
        under_each_label = logits[:, None, :] - torch.diag(self.margins)  # (N, C, C): row c if the label is c
        losses = -F.log_softmax(self.scale * under_each_label, 2).diagonal(dim1=1, dim2=2)  # (N, C)
        if progress >= self.reweight_from:
            losses = losses * self.weights
        return expected_loss(losses, target, label_smoothing=0.0)
