"""Assembles the page and writes it as one file without external resources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from qana.conversion.product import LayerReport
from qana.evaluation.files import write_text_atomically
from qana.evaluation.page.answer_section import confusions, reliability
from qana.evaluation.page.class_section import per_class
from qana.evaluation.page.cost_section import cost
from qana.evaluation.page.damage_section import damage
from qana.evaluation.page.data_section import data
from qana.evaluation.page.external_section import external_test
from qana.evaluation.page.header_section import header
from qana.evaluation.page.incremental_section import incremental
from qana.evaluation.page.ladder_section import ladder
from qana.evaluation.page.lineage_section import lineage
from qana.evaluation.page.markup import tag, text
from qana.evaluation.page.network_section import network
from qana.evaluation.page.program_section import program
from qana.evaluation.page.spiking_section import spiking
from qana.evaluation.page.strata_section import strata
from qana.evaluation.page.trust_section import robustness, trust
from qana.evaluation.page.views_section import views
from qana.evaluation.predictions import Predictions

_DISCLAIMER = (
    "Research use only. This is not a medical device: nothing on this page may guide the"
    " diagnosis or treatment of a person."
)


def render_html(
    report: Mapping[str, Any],
    said: Predictions,
    *,
    layers: Sequence[LayerReport],
    versions: Mapping[str, str],
) -> str:
    """Make the page as text; equal inputs give equal text.

    Args:
        report: follows the contract.
        said: logits of every stage, for the confusion matrices and the reliability diagram.
        layers: one report per layer of the program; empty without a conversion.
        versions: package name to version.
    """
    style = files("qana.evaluation.page").joinpath("style.css").read_text(encoding="utf-8")
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{text(report['run']['name'])} | QANA</title><style>{style}</style>"
    )
    body = [
        header(report),
        tag("p", text(_DISCLAIMER), class_="disclaimer"),
        ladder(report),
        spiking(report),
        per_class(report),
        damage(report),
        strata(report),
        external_test(report),
        incremental(report),
        confusions(report, said),
        reliability(report, said),
        trust(report),
        robustness(report),
        views(report),
        data(report),
        cost(report),
        network(report),
        program(report, layers),
        lineage(report, versions),
        tag("footer", text(_DISCLAIMER)),
    ]
    page = tag("head", head) + tag("body", tag("main", "".join(body)))
    return f"<!doctype html>\n{tag('html', page, lang='en')}\n"


def write_html(
    path: Path,
    report: Mapping[str, Any],
    said: Predictions,
    *,
    layers: Sequence[LayerReport],
    versions: Mapping[str, str],
) -> None:
    """Write the page of `render_html`; an interrupted run leaves no half-written file."""
    write_text_atomically(path, render_html(report, said, layers=layers, versions=versions))
