"""The parts of the page on single answers: who is taken for whom, and how sure the network was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qana.evaluation.calibration import bin_rows
from qana.evaluation.confusion import confusion_matrix
from qana.evaluation.page.charts import STAGE_LABELS, confusion_chart, reliability_chart
from qana.evaluation.page.markup import definitions, percent, section, tag, text
from qana.evaluation.predictions import Predictions

Report = Mapping[str, Any]


def shown_stages(report: Report) -> list[str]:
    """The trained network and the chip, or what comes closest in a run without conversion."""
    stages = list(report["stages"])
    if "snn" in stages:
        return ["float", "snn"]
    return [stage for stage in ("torch", "akida") if stage in stages] or stages[-1:]


def confusion_drawing(said: Predictions, stage: str) -> str:
    """The confusion matrix of one stage."""
    matrix = confusion_matrix(said.target, said.stage_logits[stage].argmax(1), len(said.classes))
    return confusion_chart(matrix, said.classes, f"Confusion matrix, {STAGE_LABELS[stage]}")


def reliability_drawing(report: Report, said: Predictions) -> str:
    """How often the stages of `shown_stages` are right, by how sure they were."""
    stages = shown_stages(report)
    return reliability_chart({s: bin_rows(said.stage_logits[s], said.target).sum(axis=0) for s in stages})


def confusions(report: Report, said: Predictions) -> str:
    """Who is taken for whom, before and after conversion."""
    figures = [
        tag("figure", tag("figcaption", text(STAGE_LABELS[stage])) + confusion_drawing(said, stage))
        for stage in shown_stages(report)
    ]
    lead = "Test images by true and predicted class; a stronger shade marks a larger share of the true class."
    return section("Confusion", tag("div", "".join(figures), class_="figures"), lead)


def reliability(report: Report, said: Predictions) -> str:
    """Whether confidence can be believed."""
    stages, chart = shown_stages(report), reliability_drawing(report, said)
    lead = "On the diagonal a network is right as often as it says. Larger dots hold more images."
    errors = definitions(
        (f"Calibration error, {STAGE_LABELS[s]}", percent(report["stages"][s]["ece"])) for s in stages
    )
    return section("Reliability", tag("div", tag("figure", chart) + errors, class_="figures"), lead)
