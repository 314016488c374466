"""How the MLflow UI shows an experiment: with a saved view of its runs that sets targets side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

VIEW = "targets"
MAX_COMPARED = 100  # MLflow cuts a tag off at 8,000 characters, and a page of more columns cannot be read

# Column of the table of runs -> width in pixels. The tag of a cost says whether it is measured or modelled.
_COLUMNS = {
    "tags.`target`": 100,
    "params.`seed`": 70,
    "metrics.`akida/macro_f1`": 130,
    "metrics.`akida/energy_mj`": 140,
    "tags.`akida/energy_mj`": 140,
    "metrics.`akida/latency_ms`": 150,
    "metrics.`conversion/agreement`": 180,
}
# Runs with a program. MLflow folds the runs of a sweep into its parent where they stand in the order of time.
_ORDER = "metrics.`akida/macro_f1`"
_FILTER = f"{_ORDER} >= 0"
_BARS = ("akida/macro_f1", "akida/energy_mj", "akida/latency_ms", "conversion/agreement")


def experiment_tags() -> dict[str, str]:
    """Tags that lay out the experiment's page.

    Without the kind, MLflow takes the runs for those of a language model. The view is stored as MLflow 3.17
    stores one that a user saves; an MLflow that does not know it shows columns of its own.
    """
    view = {"name": VIEW, "createdAt": 0, "updatedAt": 0, "state": json.dumps(_view())}
    return {
        "mlflow.experimentKind": "custom_model_development",
        f"mlflow.sharedViewState.{VIEW}": json.dumps(view),
    }


def experiment_page(experiment_id: str) -> str:
    """Where the UI shows the runs in that view, below the address of the server."""
    return f"/#/experiments/{experiment_id}/runs?workflowType=machine_learning&viewStateShareKey={VIEW}"


def comparison_note(experiment_id: str, run_ids: Sequence[str]) -> str:
    """Describe a sweep in Markdown: links to the page that compares its runs, and to the view."""
    view = f"[Runs of the experiment]({experiment_page(experiment_id)[1:]})"
    compared = ",".join(f"%22{run_id}%22" for run_id in run_ids[:MAX_COMPARED])
    page = f"#/compare-runs?runs=[{compared}]&experiments=[%22{experiment_id}%22]"
    return f"[Compare the runs of this sweep]({page}). {view}." if len(run_ids) > 1 else f"{view}."


def _view() -> dict[str, Any]:
    section = {"uuid": VIEW, "name": VIEW, "display": True, "isReordered": True, "deleted": False}
    return {
        "searchFilter": _FILTER,
        "orderByKey": _ORDER,
        "orderByAsc": False,
        "selectedColumns": list(_COLUMNS),
        "columnOrder": list(_COLUMNS),
        "columnWidths": _COLUMNS,
        "isAccordionReordered": True,
        "compareRunCharts": [*(_chart("BAR", key, metricKey=key) for key in _BARS), _pareto()],
        "compareRunSections": [{**section, "isGenerated": False}],
    }


def _pareto() -> dict[str, Any]:
    score, energy = ({"type": "METRIC", "key": key} for key in _BARS[:2])
    return _chart("SCATTER", "macro F1 over energy", xaxis=energy, yaxis=score)


def _chart(kind: str, name: str, **shown: Any) -> dict[str, Any]:
    place = {"metricSectionId": VIEW, "deleted": False, "isGenerated": False, "runsCountToCompare": 10}
    return {"uuid": name, "type": kind, "displayName": name, **place, **shown}
