"""Let the float network teach its quantized twin: the second opinion of a loss in the quantized phase."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qana.backbone.unit import Unit
from qana.quantization.unit import QuantizedUnit
from qana.training.unit_outputs import UnitOutputs


class Distillation:
    """A loss that is 0 where the quantized network answers as the float one does.

    w_l * T**2 * KL(softmax(t / T) || softmax(s / T))      (Hinton et al. 2015, arXiv:1503.02531, section 2)
    + w_f * mean over layers of (1 - cos(a_s, a_t))

    with logits s, t and all outputs a of one layer for one image as a vector. The cosine asks only for the
    direction (as the normalized maps of Zagoruyko and Komodakis 2017, arXiv:1612.03928, do), because
    calibration has given every quantized layer another scale than its float original.

    Args:
        student: quantized network, units named as in `teacher`.
        teacher: trained float network; copied, frozen.
        logits_weight: w_l, at least 0.
        feature_weight: w_f, at least 0.
        temperature: T, positive.
    """

    name = "distillation_loss"

    def __init__(
        self,
        student: nn.Module,
        teacher: nn.Module,
        *,
        logits_weight: float,
        feature_weight: float,
        temperature: float,
    ) -> None:
        self._teacher = copy.deepcopy(teacher).eval().requires_grad_(False)
        self._logits_weight, self._feature_weight = logits_weight, feature_weight
        self._temperature = temperature
        said = [(name, unit) for name, unit in student.named_modules() if isinstance(unit, QuantizedUnit)]
        names = {name for name, _ in said} if feature_weight else set()
        taught = [
            (name, unit)
            for name, unit in self._teacher.named_modules()
            if isinstance(unit, Unit) and unit.relu is not None and name in names
        ]
        listened = {name for name, _ in taught}
        self._theirs = UnitOutputs(taught, only_training=False)
        self._ours = UnitOutputs(
            [(name, unit) for name, unit in said if name in listened], only_training=True
        )

    def __call__(self, images: Tensor, logits: Tensor) -> Tensor:
        """The loss of one batch, ().

        Args:
            images: (N, 3, H, W), which the student has just seen.
            logits: (N, classes), what it said.
        """
        with torch.no_grad():
            taught = self._teacher.to(images.device)(images).float()
        loss = self._logits_weight * self._divergence(logits, taught)
        ours, theirs = self._ours.take(), self._theirs.take()
        if theirs:
            distances = [_distance(ours[name], theirs[name]) for name in theirs]
            loss = loss + self._feature_weight * torch.stack(distances).mean()
        return loss

    def close(self) -> None:
        """Leave the student as it was found."""
        self._ours.close()

    def _divergence(self, logits: Tensor, taught: Tensor) -> Tensor:
        ours = F.log_softmax(logits / self._temperature, 1)
        theirs = F.log_softmax(taught / self._temperature, 1)
        return self._temperature**2 * F.kl_div(ours, theirs, reduction="batchmean", log_target=True)


def _distance(ours: Tensor, theirs: Tensor) -> Tensor:
    return (1 - F.cosine_similarity(ours.flatten(1), theirs.flatten(1), dim=1)).mean()
