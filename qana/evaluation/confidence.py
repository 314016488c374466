"""Confidence that means what it says: a temperature fitted on validation images, and what rejecting buys."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from qana.evaluation.calibration import bin_rows, calibration_error, softmax

Logits = NDArray[np.float32]
Target = NDArray[np.int64]

# Factor e**4 either way; beyond it the logits say nothing, or everything, at any temperature.
LOG_BOUNDS = (-4.0, 4.0)
THRESHOLDS = tuple(tenth / 20 for tenth in range(20))  # 0 to 0.95


def negative_log_likelihood(logits: Logits, target: Target, temperature: float) -> float:
    """Mean -log p of the true class, with softmax(logits / temperature)."""
    scaled = logits.astype(np.float64) / temperature
    shifted = scaled - scaled.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1))
    return float(np.mean(log_sum - shifted[np.arange(len(target)), target]))


def fit_temperature(logits: Logits, target: Target) -> float:
    """The one number that makes confidence fit best: the temperature of least negative log-likelihood.

    Temperature scaling of Guo et al. 2017 (arXiv:1706.04599, section 4.2). It changes no class.

    Args:
        logits: (N, C) of images that were not trained on.
        target: (N,) true classes.
    """
    found = minimize_scalar(
        lambda log_t: negative_log_likelihood(logits, target, float(np.exp(log_t))),
        bounds=LOG_BOUNDS,
        method="bounded",
    )
    return float(np.exp(found.x))


def calibration_facts(logits: Logits, target: Target, temperature: float) -> dict[str, Any]:
    """How confidence fits before and after scaling, and what rejecting below a threshold buys.

    Args:
        logits: (N, C).
        target: (N,).
        temperature: as fitted.

    Returns:
        ``images``, ``ece_before``, ``ece_after`` (15 bins), and ``coverage``: for each threshold the share of
        images with at least that confidence and the accuracy on these; None where there is none.
    """
    scaled = (logits / temperature).astype(np.float32)
    confidence, right = softmax(scaled).max(axis=1), logits.argmax(axis=1) == target
    coverage = []
    for threshold in THRESHOLDS:
        kept = confidence >= threshold
        accuracy = float(right[kept].mean()) if kept.any() else None
        coverage.append([threshold, float(kept.mean()), accuracy])
    return {
        "images": len(target),
        "ece_before": float(calibration_error(bin_rows(logits, target).sum(axis=0))),
        "ece_after": float(calibration_error(bin_rows(scaled, target).sum(axis=0))),
        "coverage": coverage,
    }
