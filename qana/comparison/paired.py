"""Two groups of runs on the same test images: McNemar's test, and the difference in macro F1 over lesions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from qana.comparison.spread import Spread, spread_over_seeds
from qana.evaluation.bootstrap import draw_lesions, interval95, sum_by_lesion
from qana.evaluation.confusion import confusion_matrix, confusion_rows, scores
from qana.evaluation.predictions import Predictions


@dataclass(frozen=True)
class Pair:
    """Two runs that answered the same test images.

    Attributes:
        names: of the two runs, for the reader.
        target: (N,) true classes.
        first: (N,) classes that the first run named.
        second: (N,) of the second.
        lesion_ids: N group names.
        num_classes: C.
        data: fingerprint of the data; lesions of other data are other lesions, whatever they are called.
    """

    names: tuple[str, str]
    target: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    lesion_ids: tuple[str, ...]
    num_classes: int
    data: str


@dataclass(frozen=True)
class McNemar:
    """Images that only one of two runs has right.

    Attributes:
        only_first: images that only the first run has right.
        only_second: images that only the second run has right.
        p_value: exact, two-sided.
        p_adjusted: Holm's, over the pairs of the comparison.
    """

    only_first: int
    only_second: int
    p_value: float
    p_adjusted: float


@dataclass(frozen=True)
class PairedTest:
    """What two groups differ in.

    Attributes:
        pairs: the runs, pair by pair.
        mcnemar: one per pair.
        scores: macro F1 of (first, second), one per pair.
        macro_f1: difference in macro F1, first minus second, one per pair: (P,).
        ci95: of the mean difference, lesions drawn with replacement; the runs stay as they are.
        samples: draws behind it.
        over_seeds: the mean difference with its t interval over the pairs; the other way round, the lesions
            stay as they are.
    """

    pairs: tuple[Pair, ...]
    mcnemar: tuple[McNemar, ...]
    scores: tuple[tuple[float, float], ...]
    macro_f1: NDArray[np.float64]
    ci95: tuple[float, float]
    samples: int
    over_seeds: Spread


def paired(
    first: Predictions, second: Predictions, *, stage: str, names: tuple[str, str], data: str
) -> Pair | None:
    """Lay the answers of two runs side by side; None where they were tested on different images.

    The rows of the second are brought into the order of the first.
    """
    if first.classes != second.classes or set(first.image_ids) != set(second.image_ids):
        return None
    if stage not in first.stage_logits or stage not in second.stage_logits:
        return None
    place = {image: row for row, image in enumerate(second.image_ids)}
    order = np.array([place[image] for image in first.image_ids])
    if (second.target[order] != first.target).any():
        return None
    return Pair(
        names,
        first.target,
        first.stage_logits[stage].argmax(1),
        second.stage_logits[stage].argmax(1)[order],
        first.lesion_ids,
        len(first.classes),
        data,
    )


def paired_test(pairs: Sequence[Pair], *, samples: int, seed: int) -> PairedTest:
    """Compare two groups over all their pairs.

    Args:
        pairs: one or more.
        samples: bootstrap draws.
        seed: of the draws.
    """
    found = tuple((_macro_f1(pair, pair.first), _macro_f1(pair, pair.second)) for pair in pairs)
    differences = np.array([first - second for first, second in found])
    return PairedTest(
        tuple(pairs),
        _mcnemar(pairs),
        found,
        differences,
        _lesion_interval(pairs, samples=samples, seed=seed),
        samples,
        spread_over_seeds(differences.tolist()),
    )


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Two-sided exact p-value of McNemar's test (McNemar 1947; exact binomial form, Edwards 1948).

    Under equal error rates an image that only one has right is as likely the first's as the second's. It
    takes the images as independent; photographs of one lesion are not quite, so the lesion bootstrap beside
    it is the one to lean on.

    Example:
        >>> round(mcnemar_exact(1, 8), 4)
        0.0391
    """
    discordant = only_first + only_second
    if not discordant:
        return 1.0
    return float(stats.binomtest(only_first, discordant, 0.5).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment (Holm 1979): holds the chance of any false alarm over all the tests."""
    adjusted, worst = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(np.argsort(p_values, kind="stable")):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = worst
    return adjusted


def _mcnemar(pairs: Sequence[Pair]) -> tuple[McNemar, ...]:
    counts = []
    for pair in pairs:
        right, also = pair.first == pair.target, pair.second == pair.target
        counts.append((int((right & ~also).sum()), int((~right & also).sum())))
    p_values = [mcnemar_exact(*each) for each in counts]
    return tuple(
        McNemar(*each, p, adjusted)
        for each, p, adjusted in zip(counts, p_values, holm(p_values), strict=True)
    )


def _macro_f1(pair: Pair, preds: NDArray[np.int64]) -> float:
    return float(scores(confusion_matrix(pair.target, preds, pair.num_classes)).macro_f1)


def _lesion_interval(pairs: Sequence[Pair], *, samples: int, seed: int) -> tuple[float, float]:
    """Percentile interval of the mean difference over pairs.

    The lesions of all test splits together are drawn once per sample, so that a lesion that several pairs
    were tested on is drawn for all of them, and a lesion that two splits share is not taken for two.
    """
    lesions = sorted({(pair.data, lesion) for pair in pairs for lesion in pair.lesion_ids})
    number = {lesion: index for index, lesion in enumerate(lesions)}
    draws = draw_lesions(len(lesions), samples=samples, seed=seed)
    total = np.zeros(samples)
    for pair in pairs:
        index = np.array([number[pair.data, lesion] for lesion in pair.lesion_ids])
        first, second = (_drawn_f1(pair, preds, draws, index) for preds in (pair.first, pair.second))
        total += first - second
    drawn = total[np.isfinite(total)]  # a draw without any image of a small split has no score
    return interval95(drawn / len(pairs))


def _drawn_f1(
    pair: Pair, preds: NDArray[np.int64], draws: NDArray[np.float64], index: NDArray[np.int64]
) -> NDArray[np.float64]:
    rows = confusion_rows(pair.target, preds, pair.num_classes)
    confusion = draws @ sum_by_lesion(rows, index, draws.shape[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        return scores(confusion.reshape(-1, pair.num_classes, pair.num_classes)).macro_f1
