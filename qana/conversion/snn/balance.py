"""Threshold balancing: every layer's neurons get the threshold at which the busiest fire at every step.

Diehl et al. 2015 (doi:10.1109/IJCNN.2015.7280696) take a layer's largest activation. One outlier then slows
the whole layer down, so Rueckauer et al. 2016 (arXiv:1612.04052) take the 99.9th percentile. Here a spike
weighs as much as the threshold of its neuron and the weights stay as they were trained; dividing a layer's
weights by its threshold and multiplying the next layer's, as these papers do, is the same network.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from qana.backbone.ghost import GhostModule
from qana.backbone.network import Network
from qana.backbone.unit import Unit

UNSEEN = 1.0  # threshold of a layer that stays silent on all calibration images, as in SNN Toolbox


def drive(unit: Unit, x: Tensor) -> Tensor:
    """What flows into the neurons of a folded unit: (N, C_in, H, W) to (N, C_out, H', W').

    A max pool is left to what comes behind the neurons: it commutes with the ReLU that they stand for.
    """
    current = unit.linear(x)
    return current.mean((2, 3), keepdim=True) if unit.pool == "global_before_relu" else current


@torch.no_grad()
def balanced_thresholds(folded: Network, images: Tensor, percentile: float) -> dict[str, float]:
    """Find the threshold of every layer with neurons.

    Args:
        folded: folded float network.
        images: (N, 3, H, W), float holding 0 to 255, from the training split.
        percentile: above 0, to 100; of a layer's activations that are not zero, as in SNN Toolbox
            (``snntoolbox/conversion/utils.py``). With zeros, a sparse layer would be clipped deep down.

    Returns:
        Path of each unit in `folded` to its threshold, in real units, > 0.
    """
    thresholds: dict[str, float] = {}
    x = images
    for index, block in enumerate(folded.eval().blocks):
        path = f"blocks.{index}"
        if isinstance(block, GhostModule):
            y = _observe(block.primary, x, f"{path}.primary", percentile, thresholds)
            z = _observe(block.cheap, y, f"{path}.cheap", percentile, thresholds)
            x = torch.cat((y, z), 1)
        else:
            assert isinstance(block, Unit)
            x = _observe(block, x, path, percentile, thresholds)
    return thresholds


def _observe(unit: Unit, x: Tensor, path: str, percentile: float, thresholds: dict[str, float]) -> Tensor:
    """Note the threshold of one unit, and give its output."""
    current = drive(unit, x)
    if unit.relu is None:
        return current
    activations = unit.relu(current)
    thresholds[path] = _threshold(activations, percentile, unit.relu.bound)
    if unit.pool == "max":
        return F.max_pool2d(activations, 2, 2, ceil_mode=True)
    return activations.mean((2, 3), keepdim=True) if unit.pool == "global_after_relu" else activations


def _threshold(activations: Tensor, percentile: float, bound: float) -> float:
    positive = activations[activations > 0].numpy()
    if not positive.size:
        return bound if math.isfinite(bound) else UNSEEN
    return float(np.percentile(positive, percentile))
