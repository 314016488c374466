"""What a torch network answers to the images of the other stages: logits, and the integers of every layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from qana.conversion.acceptance.trained_answers import trained_answers
from qana.conversion.deploy import PlannedLayer
from qana.quantization.network import QuantizedNetwork


def torch_codes(
    network: QuantizedNetwork, plan: Sequence[PlannedLayer], images: NDArray[np.uint8]
) -> dict[str, NDArray[Any]]:
    """Integer output of every unit, named and laid out as in the program: (N, H', W', C)."""
    count = len(images)
    return dict(trained_answers(network, plan, images, compared=count, batch_size=count).codes)


@torch.no_grad()
def torch_logits(network: nn.Module, images: NDArray[np.uint8], *, batch_size: int) -> NDArray[np.float32]:
    """Logits (N, classes) of a torch network on images (N, H, W, 3) uint8, in evaluation mode."""
    device = next(network.parameters()).device
    training = network.training
    network.eval()
    answers = []
    for first in range(0, len(images), batch_size):
        batch = torch.from_numpy(images[first : first + batch_size]).permute(0, 3, 1, 2)
        answers.append(network(batch.to(device, torch.float32).contiguous()).float().cpu().numpy())
    network.train(training)
    return np.concatenate(answers)
