"""A number with its interval, and how the interval was made."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from qana.comparison.groups import Group

OVER_SEEDS = "t over seeds"
OF_LESIONS = "bootstrap of lesions, one run"
OF_MODEL = "bounds of the cost model"
NONE = "none"


@dataclass(frozen=True)
class Spread:
    """One number of a group.

    Attributes:
        value: mean over the runs.
        low: lower end of the 95 % interval; None where there is none.
        high: upper end.
        count: runs behind it.
        method: how the interval was made.
    """

    value: float
    low: float | None
    high: float | None
    count: int
    method: str


def spread_over_seeds(values: Sequence[float]) -> Spread:
    """Mean and 95 % interval of the mean over independent runs.

    mean +- t(0.975, n - 1) * s / sqrt(n), s with n - 1 in its denominator (Student 1908). It assumes scores
    that are near normal over seeds; with two or three runs it is wide, as it should be.

    Args:
        values: two or more.
    """
    mean, half = float(np.mean(values)), math.inf
    if len(values) > 1:
        half = float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values)))
    if not math.isfinite(half):
        return Spread(mean, None, None, len(values), NONE)
    return Spread(mean, mean - half, mean + half, len(values), OVER_SEEDS)


def share_over_seeds(values: Sequence[float]) -> Spread:
    """`spread_over_seeds` of shares such as accuracy, the interval cut off where no share can be.

    Args:
        values: one or more, 0 to 1.
    """
    found = spread_over_seeds(values)
    if found.low is None or found.high is None:
        return found
    return replace(found, low=max(found.low, 0.0), high=min(found.high, 1.0))


def score(group: Group, stage: str, metric: str) -> Spread | None:
    """A score of one stage: over the seeds of a group, or of its only run with that run's own interval.

    The two intervals answer different questions: over seeds, what another training (and its split) would
    give; of lesions, what other patients would have given for this one network.
    """
    key = f"{stage}/{metric}"
    runs = [run.metrics for run in group.runs if key in run.metrics]
    if len(runs) != 1:
        return share_over_seeds([metrics[key] for metrics in runs]) if runs else None
    (metrics,) = runs
    low, high = (metrics.get(f"{stage}/ci95/{metric}/{end}") for end in ("low", "high"))
    return Spread(metrics[key], low, high, 1, NONE if low is None or high is None else OF_LESIONS)


def cost(group: Group, metric: str) -> Spread | None:
    """A latency or energy of the chip: mean over the runs within the mean bounds of the model.

    The bounds of a model do not shrink with the number of runs, so no interval over seeds is made of them.
    """
    key = f"akida/{metric}"
    runs = [run.metrics for run in group.runs if key in run.metrics]
    if not runs:
        return None
    value, low, high = (
        float(np.mean([found.get(name, math.nan) for found in runs]))
        for name in (key, f"{key}_low", f"{key}_high")
    )
    known = math.isfinite(low) and math.isfinite(high)
    return Spread(
        value, low if known else None, high if known else None, len(runs), OF_MODEL if known else NONE
    )
