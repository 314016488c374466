"""Reads the objectives of a search from the reports of its jobs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qana.errors import QanaError


def read_score(report: Mapping[str, Any], paths: Sequence[str]) -> list[float]:
    """The numbers at `paths` of a report.

    Raises:
        QanaError: there is no such path in it, or no finite number at its end.
    """
    return [_number(report, path) for path in paths]


def mean_score(scores: Sequence[Sequence[float]]) -> list[float]:
    """Mean over the seeds of a trial, objective by objective."""
    return [float(value) for value in np.mean(np.asarray(scores, dtype=float), axis=0)]


def _number(report: Mapping[str, Any], path: str) -> float:
    node: Any = report
    known: Sequence[str] = ()
    for depth, part in enumerate(path.split(".")):
        known = (
            [".".join([*path.split(".")[:depth], key]) for key in node]
            if isinstance(node, Mapping)
            else known
        )
        node = node.get(part) if isinstance(node, Mapping) else None
    if isinstance(node, bool) or not isinstance(node, int | float) or not math.isfinite(node):
        raise QanaError(
            f"the report has no number at {path}, but {node!r:.60}",
            where=f"hydra.sweeper.objectives: {path}",
            allowed=f"paths in report.json that end at a number; near it are {', '.join(known)}",
            fix="correct the path; qana run leaves a report.json to look into",
        )
    return float(node)
