"""Logits, labels and class counts small enough to calculate with by hand, and every loss."""

import numpy as np
import torch

from qana.training.loss import ClassBalanced, CrossEntropy, Focal, Ldam, LogitAdjusted, Weighted

COUNTS = np.array([160, 30, 10])
LOGITS = np.array([[2.0, 0.5, -1.0], [0.0, 0.0, 0.0], [-3.0, 1.0, 2.5], [1.0, 4.0, -2.0]])
TARGET = np.array([0, 2, 1, 0])
# What mixup and cutmix make of labels.
SHARES = np.array([[0.7, 0.3, 0.0], [0.0, 0.0, 1.0], [0.25, 0.25, 0.5], [0.0, 0.4, 0.6]])

# Every loss, with label smoothing where it has it.
LOSSES = {
    "cross_entropy": lambda: CrossEntropy(label_smoothing=0.1),
    "weighted": lambda: Weighted(label_smoothing=0.1),
    "focal": lambda: Focal(gamma=2.0, label_smoothing=0.1),
    "focal_below_1": lambda: Focal(gamma=0.5, label_smoothing=0.1),
    "class_balanced": lambda: ClassBalanced(beta=0.99, label_smoothing=0.1),
    "logit_adjusted": lambda: LogitAdjusted(tau=1.5, label_smoothing=0.1),
    "ldam": lambda: Ldam(max_margin=0.5, scale=4.0, reweight_from=0.8, beta=0.99),
}


def ready(loss, counts=COUNTS):
    loss.set_class_counts(torch.as_tensor(counts))
    return loss


def value(loss, logits=LOGITS, target=TARGET, *, counts=COUNTS, progress=0.0):
    """The loss as a number."""
    logits, target = torch.tensor(logits, dtype=torch.float32), torch.as_tensor(target)
    target = target if target.ndim == 1 else target.to(torch.float32)
    return ready(loss, counts)(logits, target, progress).item()


def one_hot(target, num_classes=3):
    return np.eye(num_classes)[target]


def smoothed(shares, smoothing):
    return (1 - smoothing) * shares + smoothing / shares.shape[1]


def probabilities(logits=LOGITS):
    """(N, C) softmax."""
    exponentials = np.exp(logits)
    return exponentials / exponentials.sum(1, keepdims=True)


def expectation(losses, shares):
    """Mean over images of the mean over labels of (N, C) losses."""
    total = 0.0
    for image in range(len(losses)):
        for label in range(losses.shape[1]):
            total += shares[image, label] * losses[image, label]
    return total / len(losses)
