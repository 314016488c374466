"""Finds runs of the past by what they were, and reads their numbers."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from qana.comparison.result import Result
from qana.errors import QanaError
from qana.tracking.datasets import CONTEXTS
from qana.tracking.earlier import KIND
from qana.tracking.tracked_run import LONG_PARAMS_FILE

PAGE = 1000


@dataclass(frozen=True)
class RunFilter:
    """Which runs are looked for; None leaves a question open.

    Attributes:
        status: FINISHED, FAILED, KILLED or RUNNING.
        target: chip, such as ``akd1000``; ``none`` for networks without one.
        dataset: name of the data, such as ``ham10000``.
        recipe: of ``experiment=``.
        sweep: id of a parent run.
        expression: MLflow's own filter, such as ``metrics.`akida/macro_f1` > 0.5``.
    """

    status: str | None
    target: str | None
    dataset: str | None
    recipe: str | None
    sweep: str | None
    expression: str | None


def find_runs(client: MlflowClient, experiment: str | None, wanted: RunFilter) -> list[Result]:
    """Read every run that fits, newest first.

    Args:
        client: of the store.
        experiment: MLflow experiment; None for all of them.
        wanted: which.

    Raises:
        QanaError: no such experiment, or a filter that MLflow cannot read.
    """
    found = []
    for run in _search(client, _experiment_ids(client, experiment), _expression(wanted)):
        result = _result(client, run)
        if run.data.tags.get("kind") != KIND and _fits(result, wanted):
            found.append(result)
    return found


def _fits(result: Result, wanted: RunFilter) -> bool:
    """What a filter of MLflow cannot ask: an absent parameter, a word inside a tag."""
    recipe = wanted.recipe is None or f"experiment={wanted.recipe}" in [
        t.lstrip("+") for t in result.overrides
    ]
    return recipe and (wanted.target is None or result.target == wanted.target)


def _expression(wanted: RunFilter) -> str:
    clauses = [wanted.expression] if wanted.expression else []
    if wanted.status:
        clauses.append(f"attributes.status = '{wanted.status}'")
    if wanted.dataset:
        clauses.append(f"dataset.name = '{wanted.dataset}'")
        clauses.append(f"dataset.context = '{CONTEXTS['test']}'")
    if wanted.sweep:
        clauses.append(f"tags.`mlflow.parentRunId` LIKE '{wanted.sweep}%'")
    return " AND ".join(clauses)


def _experiment_ids(client: MlflowClient, experiment: str | None) -> list[str]:
    if experiment is None:
        return [each.experiment_id for each in client.search_experiments(max_results=PAGE)]
    found = client.get_experiment_by_name(experiment)
    if found is None:
        names = [each.name for each in client.search_experiments(max_results=PAGE)]
        raise QanaError(
            f"the store has no experiment {experiment!r}",
            where=f"tracking.experiment = {experiment}",
            allowed=", ".join(names),
            fix="set tracking.experiment, or tracking.root for another store",
        )
    return [found.experiment_id]


def _search(client: MlflowClient, experiments: Sequence[str], expression: str) -> Iterator[Run]:
    token = None
    while True:
        try:
            page = client.search_runs(list(experiments), expression, max_results=PAGE, page_token=token)
        except MlflowException as error:
            raise QanaError(
                f"MLflow cannot read the filter: {str(error).splitlines()[0]}",
                where=f"filter = {expression}",
                allowed="MLflow's search syntax: metrics.`akida/macro_f1` > 0.5 and params.seed = '0'",
                fix="correct the filter; names with a slash stand in backticks, the whole in quotes",
            ) from error
        yield from page
        token = page.token
        if not token:
            return


def _result(client: MlflowClient, run: Run) -> Result:
    params = dict(run.data.params)
    if "long_params" in run.data.tags:
        params |= _long_params(client, run.info.run_id)
    return Result(
        run_id=run.info.run_id,
        name=run.info.run_name or "",
        status=run.info.status,
        started_ms=run.info.start_time or 0,
        params=params,
        metrics=dict(run.data.metrics),
        tags=dict(run.data.tags),
        dataset=_tested_on(run),
    )


def _long_params(client: MlflowClient, run_id: str) -> dict[str, str]:
    with tempfile.TemporaryDirectory(prefix="qana-params-") as folder:
        path = Path(client.download_artifacts(run_id, LONG_PARAMS_FILE, folder))
        return {key: str(text) for key, text in json.loads(path.read_text()).items()}


def _tested_on(run: Run) -> str:
    for made in run.inputs.dataset_inputs if run.inputs else ():
        if any(tag.key == MLFLOW_DATASET_CONTEXT and tag.value == CONTEXTS["test"] for tag in made.tags):
            return str(made.dataset.name)
    return ""
