"""The numbers of one stage of the ladder, with intervals clustered by lesion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from qana.errors import QanaError, listed
from qana.evaluation.bootstrap import (
    Bootstrap,
    draw_lesions,
    interval95,
    lesion_index,
    resampled_scores,
    sum_by_lesion,
)
from qana.evaluation.calibration import bin_rows, calibration_error, softmax
from qana.evaluation.confusion import Scores, confusion_matrix, scores

Logits = NDArray[np.float32]
Target = NDArray[np.int64]


@dataclass(frozen=True)
class ClassMetrics:
    """Scores of one class; None where the target holds no image of it, for which they mean nothing."""

    precision: float | None
    recall: float | None
    f1: float | None
    support: int


@dataclass(frozen=True)
class StageMetrics:
    """What one stage scores on the test images.

    Attributes:
        accuracy: share of images with the right class.
        macro_f1: mean F1 over the classes present in the target.
        balanced_accuracy: mean recall over the classes present in the target.
        ece: expected calibration error, 15 equal-width bins (Guo et al. 2017).
        macro_auroc: mean one-against-rest area under the ROC curve over the classes present in the
            target; None where the target holds a single class, for which it is undefined.
        per_class: class name to its scores, in the order of the classes.
        ci95: metric name to the 95 % bootstrap interval, lesions drawn with replacement.
    """

    accuracy: float
    macro_f1: float
    balanced_accuracy: float
    ece: float
    macro_auroc: float | None
    per_class: Mapping[str, ClassMetrics]
    ci95: Mapping[str, tuple[float, float]]

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, shaped as in the report."""
        return {**asdict(self), "ci95": {name: list(pair) for name, pair in self.ci95.items()}}


@dataclass(frozen=True)
class Difference:
    """A paired difference between two stages and its 95 % interval."""

    value: float
    ci95: tuple[float, float]

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, shaped as in the report."""
        return {"value": self.value, "ci95": list(self.ci95)}


def require_finite(logits: Logits, stage: str) -> None:
    """Refuse logits with NaN or infinity, which no metric can be computed from.

    Raises:
        QanaError: some image has a logit that is not finite.
    """
    broken = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if broken.size:
        raise QanaError(
            f"{broken.size} of {len(logits)} images have logits that are not finite at stage {stage}"
            f" (rows {listed([int(row) for row in broken], limit=5)})",
            where=f"stages.{stage}",
            allowed="finite logits for every image",
            fix="look for a diverged training (lower training.learning_rate) and run again",
        )


def _require_matching(logits: Logits, target: Target, lesion_ids: Sequence[str], num_classes: int) -> None:
    if logits.shape != (len(target), num_classes) or len(lesion_ids) != len(target) or not len(target):
        raise ValueError(
            f"logits {logits.shape}, {len(target)} targets and {len(lesion_ids)} lesion ids do not describe"
            f" the same images with {num_classes} classes"
        )


def _auroc(logits: Logits, target: Target) -> float | None:
    present = np.unique(target)
    if len(present) < 2:
        return None
    probs = softmax(logits)
    return float(np.mean([roc_auc_score(target == label, probs[:, label]) for label in present]))


def _of_class(result: Scores, label: int) -> ClassMetrics:
    if not result.support[label]:
        return ClassMetrics(None, None, None, support=0)
    precision, recall, f1 = (float(score[label]) for score in (result.precision, result.recall, result.f1))
    return ClassMetrics(precision, recall, f1, support=int(result.support[label]))


def _intervals(
    logits: Logits, target: Target, lesion_ids: Sequence[str], *, samples: int, seed: int
) -> dict[str, tuple[float, float]]:
    index, lesions = lesion_index(lesion_ids)
    draws = draw_lesions(lesions, samples=samples, seed=seed)
    bootstrap = Bootstrap(samples, seed)
    resampled = resampled_scores(target, logits.argmax(1), lesion_ids, logits.shape[1], bootstrap)
    ece = calibration_error(draws @ sum_by_lesion(bin_rows(logits, target), index, lesions))
    return {
        "accuracy": interval95(resampled.accuracy),
        "macro_f1": interval95(resampled.macro_f1),
        "balanced_accuracy": interval95(resampled.balanced_accuracy),
        "ece": interval95(ece),
    }


def stage_metrics(
    logits: Logits,
    target: Target,
    lesion_ids: Sequence[str],
    classes: Sequence[str],
    *,
    bootstrap_samples: int,
    seed: int,
) -> StageMetrics:
    """Score one stage on the test images.

    Classes absent from the target are listed without scores and left out of every mean; so are, in a
    bootstrap sample, classes that the sample does not contain.

    Args:
        logits: (N, C) float32; the predicted class is the first largest.
        target: (N,) int64, index into `classes`.
        lesion_ids: N group names; photographs of one lesion are resampled together.
        classes: C class names.
        bootstrap_samples: resamples for the intervals.
        seed: of the resampling; equal seeds give equal draws for every stage.

    Raises:
        QanaError: a logit is not finite.
        ValueError: the arguments do not describe the same images and classes.
    """
    _require_matching(logits, target, lesion_ids, len(classes))
    require_finite(logits, "logits")
    result = scores(confusion_matrix(target, logits.argmax(1), len(classes)))
    return StageMetrics(
        accuracy=float(result.accuracy),
        macro_f1=float(result.macro_f1),
        balanced_accuracy=float(result.balanced_accuracy),
        ece=float(calibration_error(bin_rows(logits, target).sum(axis=0))),
        macro_auroc=_auroc(logits, target),
        per_class={name: _of_class(result, label) for label, name in enumerate(classes)},
        ci95=_intervals(logits, target, lesion_ids, samples=bootstrap_samples, seed=seed),
    )


def paired_difference_ci(
    before: Logits,
    after: Logits,
    target: Target,
    lesion_ids: Sequence[str],
    *,
    bootstrap_samples: int,
    seed: int,
) -> Difference:
    """How much macro F1 falls from one stage to another, both scored on the same resampled lesions.

    Args:
        before: (N, C) logits of the earlier stage, such as float.
        after: (N, C) logits of the later stage, such as akida.
        target: (N,) true classes.
        lesion_ids: N group names.
        bootstrap_samples: resamples for the interval.
        seed: of the resampling.

    Returns:
        macro F1 before minus after; positive where the later stage is worse.
    """
    for logits in (before, after):
        _require_matching(logits, target, lesion_ids, before.shape[1])
    num_classes, bootstrap = before.shape[1], Bootstrap(bootstrap_samples, seed)
    first, second = (logits.argmax(1) for logits in (before, after))
    draws = [
        resampled_scores(target, preds, lesion_ids, num_classes, bootstrap).macro_f1
        for preds in (first, second)
    ]
    found = [
        float(scores(confusion_matrix(target, preds, num_classes)).macro_f1) for preds in (first, second)
    ]
    return Difference(value=found[0] - found[1], ci95=interval95(draws[0] - draws[1]))


def agreement(first: Logits, second: Logits) -> float:
    """Share of images for which two stages name the same class; ties go to the lower index in both."""
    if first.shape != second.shape:
        raise ValueError(
            f"stages of shape {first.shape} and {second.shape} cannot be compared image by image"
        )
    return float((first.argmax(1) == second.argmax(1)).mean())
