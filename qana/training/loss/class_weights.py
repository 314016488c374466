"""Weights that make up for how rarely a class is seen in training."""

from __future__ import annotations

import torch
from torch import Tensor


def inverse_frequency_weights(counts: Tensor) -> Tensor:
    """Weight of each class, in proportion to 1 / n_c, with mean 1 over the training images.

    w_c = N / (K n_c) for the K classes that have images. A class without images has weight 0: it is never
    the label, and with any other weight label smoothing would spend its share on what cannot be learned.

    Args:
        counts: (C,) training images of each class.

    Returns:
        (C,) float32.

    Example:
        >>> inverse_frequency_weights(torch.tensor([30, 10, 0]))
        tensor([0.6667, 2.0000, 0.0000])
    """
    counts = counts.double()
    present = counts > 0
    weights = counts.sum() / (present.sum() * counts)
    return torch.where(present, weights, 0.0).float()


def effective_number_weights(counts: Tensor, *, beta: float) -> Tensor:
    """Weight of each class, in proportion to one over its effective number of images.

    w_c ~ 1 / E_c,  E_c = (1 - beta**n_c) / (1 - beta)   (Cui et al. 2019, arXiv:1901.05555, section 4)

    The weights sum to the number of classes. Deviation, only where a class has no images: the paper does not
    say; here its weight is 0 (see `inverse_frequency_weights`) and the others sum to their own number.

    Args:
        counts: (C,) training images of each class.
        beta: 0 <= beta < 1; 0 weighs all classes alike, towards 1 it becomes the inverse frequency.

    Returns:
        (C,) float32.

    Example:
        >>> effective_number_weights(torch.tensor([1, 2]), beta=0.5)
        tensor([1.2000, 0.8000])
    """
    counts = counts.double()
    present = counts > 0
    weights = torch.where(present, (1 - beta) / (1 - beta**counts), 0.0)
    return (weights * present.sum() / weights.sum()).float()
