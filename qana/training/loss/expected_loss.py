"""Reduces the losses under every possible label to one number: mixed and smoothed labels are several."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def expected_loss(losses: Tensor, target: Tensor, *, label_smoothing: float) -> Tensor:
    """Mean over images of sum_c q_c * loss_c, with q the distribution of the image's label.

    q = (1 - e) * target + e / C,  e = label_smoothing (Szegedy et al. 2016, arXiv:1512.00567, section 7)

    For mixup (Zhang et al. 2018, arXiv:1710.09412) this is the mixture of the losses of the mixed labels.

    Args:
        losses: (N, C), the loss of each image if its label were c; finite.
        target: (N,) int64 class indices, or (N, C) shares that sum to 1.
        label_smoothing: share of the label that is spread evenly over all classes, 0 <= e < 1.

    Returns:
        () of the type of `losses`.

    Example:
        >>> import torch
        >>> expected_loss(torch.tensor([[1.0, 3.0]]), torch.tensor([0]), label_smoothing=0.5)
        tensor(1.5000)
    """
    num_classes = losses.shape[1]
    shares = F.one_hot(target, num_classes) if target.ndim == 1 else target
    shares = (1 - label_smoothing) * shares.to(losses.dtype) + label_smoothing / num_classes  # (N, C)
    return (shares * losses).sum(1).mean()
