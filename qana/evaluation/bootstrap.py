"""Confidence intervals that respect the lesion: photographs of one lesion are drawn together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qana.evaluation.confusion import Scores, confusion_rows, scores

Counts = NDArray[np.int64]
Values = NDArray[np.float64]

# Fewer independent lesions than this are too few for a percentile bootstrap, whose intervals are then too
# narrow; a rule of thumb.
MIN_GROUPS = 30


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are drawn: resamples of whole lesions, and their seed."""

    samples: int
    seed: int


def lesion_index(lesion_ids: Sequence[str]) -> tuple[Counts, int]:
    """Number the lesions: (N,) index of each image's lesion, and how many lesions there are."""
    unique, index = np.unique(np.asarray(lesion_ids, dtype=str), return_inverse=True)
    return index.reshape(-1).astype(np.int64), len(unique)


def draw_lesions(lesions: int, *, samples: int, seed: int) -> Values:
    """How often each lesion is drawn, with replacement: (samples, lesions), rows sum to `lesions`.

    Cluster bootstrap (Davison and Hinkley 1997, section 3.8): resampling whole lesions keeps the
    correlation between photographs of one lesion, which resampling images would ignore. The same seed
    gives the same draws, so two stages can be compared pair by pair.
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(lesions, np.full(lesions, 1 / lesions), size=samples).astype(np.float64)


def sum_by_lesion(rows: NDArray[np.float64], index: Counts, lesions: int) -> Values:
    """Add up the rows (N, K) of each lesion: (lesions, K)."""
    totals = np.zeros((lesions, rows.shape[1]))
    np.add.at(totals, index, rows)
    return totals


def interval95(draws: Values) -> tuple[float, float]:
    """The percentile interval: 2.5th and 97.5th percentile of the bootstrap draws."""
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)


def resampled_scores(
    target: Counts, preds: Counts, lesion_ids: Sequence[str], num_classes: int, bootstrap: Bootstrap
) -> Scores:
    """Scores of every bootstrap draw of whole lesions; the first axis of each is the draw.

    Two calls with the same lesions and seed score the same draws, so their difference is a paired one.

    Args:
        target: (N,) true classes.
        preds: (N,) predicted classes.
        lesion_ids: N group names.
        num_classes: C.
        bootstrap: how many draws, and their seed.
    """
    index, lesions = lesion_index(lesion_ids)
    weights = draw_lesions(lesions, samples=bootstrap.samples, seed=bootstrap.seed)
    rows = confusion_rows(target, preds, num_classes)
    return scores((weights @ sum_by_lesion(rows, index, lesions)).reshape(-1, num_classes, num_classes))
