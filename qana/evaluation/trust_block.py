"""Whether answers can be relied on: what validation images set, judged on test images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qana.dataset.splits import ImageSet
from qana.evaluation.bootstrap import Bootstrap
from qana.evaluation.confidence import calibration_facts, fit_temperature
from qana.evaluation.failures import surest_failures
from qana.evaluation.metrics import stage_metrics
from qana.evaluation.operating_points import operating_points
from qana.evaluation.stages import trained_stage

Logits = NDArray[np.float32]


def validation_block(
    logits: Logits, stage: str, val: ImageSet, classes: Sequence[str], bootstrap: Bootstrap
) -> dict[str, Any]:
    """What the trained network scores on validation images, for choices that must not look at test images."""
    scored = stage_metrics(
        logits,
        val.target,
        val.lesion_ids,
        classes,
        bootstrap_samples=bootstrap.samples,
        seed=bootstrap.seed,
    )
    return {"stage": stage, "images": len(val), **scored.as_dict()}


def trust_block(
    validation: Logits,
    stages: Mapping[str, Logits],
    val: ImageSet,
    test: ImageSet,
    classes: Sequence[str],
    bootstrap: Bootstrap,
) -> dict[str, Any]:
    """Confidence, operating points and the surest failures of the last stage.

    Args:
        validation: (M, C) logits of `trained_stage` on `val`.
        stages: stage to (N, C) logits on `test`.
        val: the M validation images.
        test: the N test images.
        classes: C names.
        bootstrap: of the intervals.
    """
    # The chip says what the trained network says; a spiking network does not, and has no thresholds.
    stage = "akida" if "akida" in stages else trained_stage(stages)
    temperature = fit_temperature(validation, val.target)
    facts = calibration_facts(stages[stage], test.target, temperature)
    return {
        "stage": stage,
        "calibration": {
            "temperature": temperature,
            "ece_before": facts["ece_before"],
            "ece_after": facts["ece_after"],
            "coverage": facts["coverage"],
        },
        "per_class": operating_points(
            (validation, val.target), (stages[stage], test.target), test.lesion_ids, classes, bootstrap
        ),
        "failures": surest_failures(stages[stage], test, classes, temperature),
    }
