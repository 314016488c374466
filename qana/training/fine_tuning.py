"""What the quantized phase may have besides its loss: a teacher, averaged weights, a price on events."""

from __future__ import annotations

from typing import Protocol, get_args

from pytorch_lightning.callbacks import Callback
from torch import Tensor, nn

from qana.errors import QanaError
from qana.training.averaging import Averaging, AveragingKind
from qana.training.distillation import Distillation
from qana.training.event_penalty import EventPenalty


class Term(Protocol):
    """A part of the loss that a network's logits alone do not tell."""

    name: str

    def __call__(self, images: Tensor, logits: Tensor) -> Tensor:
        """Its value for the batch that the network has just seen, ()."""
        ...

    def close(self) -> None:
        """Let go of the network."""
        ...


class FineTuning:
    """Additions to the quantized phase, each off at its first value. Norms are folded by then: none moves.

    Args:
        distillation: weight of the float network's logits, 0 for none; see `Distillation`.
        feature_distillation: weight of its activations, 0 for none.
        temperature: softens the logits of both; positive.
        event_penalty: weight of the mean activation, 0 for none; see `EventPenalty`.
        averaging: ``none``, ``ema`` or ``swa``; see `Averaging`.
        averaging_decay: of ``ema``, 0 to below 1.
        averaging_start: share of the phase before the average begins, 0 to below 1.
    """

    def __init__(
        self,
        *,
        distillation: float,
        feature_distillation: float,
        temperature: float,
        event_penalty: float,
        averaging: AveragingKind,
        averaging_decay: float,
        averaging_start: float,
    ) -> None:
        self.distillation, self.feature_distillation = distillation, feature_distillation
        self.temperature, self.event_penalty = temperature, event_penalty
        self.averaging: AveragingKind = averaging
        self.averaging_decay, self.averaging_start = averaging_decay, averaging_start
        self._check()

    def terms(self, student: nn.Module, teacher: nn.Module) -> list[Term]:
        """Parts of the loss that are on; to be closed after the training.

        Args:
            student: the quantized network.
            teacher: the trained float network; left as it is.
        """
        terms: list[Term] = []
        if self.distillation > 0 or self.feature_distillation > 0:
            terms.append(
                Distillation(
                    student,
                    teacher,
                    logits_weight=self.distillation,
                    feature_weight=self.feature_distillation,
                    temperature=self.temperature,
                )
            )
        if self.event_penalty > 0:
            terms.append(EventPenalty(student, weight=self.event_penalty))
        return terms

    def callbacks(self) -> list[Callback]:
        """Of the trainer of the quantized phase."""
        if self.averaging == "none":
            return []
        return [Averaging(kind=self.averaging, decay=self.averaging_decay, start=self.averaging_start)]

    def _check(self) -> None:
        faults = {
            "distillation": not self.distillation >= 0,
            "feature_distillation": not self.feature_distillation >= 0,
            "temperature": not self.temperature > 0,
            "event_penalty": not self.event_penalty >= 0,
            "averaging": self.averaging not in get_args(AveragingKind),
            "averaging_decay": not 0 <= self.averaging_decay < 1,
            "averaging_start": not 0 <= self.averaging_start < 1,
        }
        wrong = [
            f"training.fine_tuning.{key} = {getattr(self, key)}" for key, fault in faults.items() if fault
        ]
        if wrong:
            raise QanaError(
                f"{len(wrong)} value(s) of the fine-tuning cannot be used",
                where=", ".join(wrong),
                allowed="weights of at least 0, a positive temperature, decay and start from 0 to below 1,"
                f" averaging {', '.join(get_args(AveragingKind))}",
                fix="correct the values named above",
            )
