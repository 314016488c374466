"""Finds a run of the past in its store and fetches what it left, so that its network can be used again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from mlflow.entities import Run, ViewType
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from qana.errors import QanaError, listed
from qana.tracking.datasets import CONTEXTS, EXTERNAL_CONTEXT

CHECKPOINT, CONFIG, SPLIT = "checkpoint.ckpt", "config.yaml", "split.json"
FILES = (CHECKPOINT, CONFIG, SPLIT)
MATCHES_SHOWN = 10
MAX_EXPERIMENTS = 1000
HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class RecordedRun:
    """A run that has ended, with the files to go on from.

    Attributes:
        run_id: in MLflow.
        name: the run's name.
        status: FINISHED, FAILED or KILLED.
        experiment: MLflow experiment it belongs to.
        config: as it was resolved.
        fingerprint: of its data; see `Splits`.
        split_hash: of its split.
        external: name to fingerprint of the second source; empty without one.
        converted_from: id of the run that this one was converted from; None where it was trained.
        checkpoint: local copy of checkpoint.ckpt.
        split_file: local copy of split.json.
    """

    run_id: str
    name: str
    status: str
    experiment: str
    config: Mapping[str, Any]
    fingerprint: str
    split_hash: str
    external: Mapping[str, str]
    converted_from: str | None
    checkpoint: Path
    split_file: Path


def recorded_run(client: MlflowClient, reference: str, *, store: str, folder: Path) -> RecordedRun:
    """Find one run and fetch its checkpoint, config and split.

    Args:
        client: of the store that holds it.
        reference: its id, or as much of the beginning as no other run has.
        store: the config key and value that led to the store, for messages.
        folder: where the files are put; must exist.

    Raises:
        QanaError: no such run, several of them, one that is still running, or one without these files.
    """
    run, experiment = find_run(client, reference, store)
    if run.info.status in ("RUNNING", "SCHEDULED"):
        raise QanaError(
            f"run {run.info.run_id} ({run.info.run_name}) is still running",
            where=f"run = {reference}",
            allowed="a run that has ended",
            fix="wait for it; if its process is gone, end it: python -c 'from mlflow import MlflowClient; "
            f'MlflowClient("{client.tracking_uri}").set_terminated("{run.info.run_id}", "KILLED")\'',
        )
    _require_files(client, run, reference)
    paths = {name: Path(client.download_artifacts(run.info.run_id, name, str(folder))) for name in FILES}
    data = _data(run, reference)
    trained, second = data[CONTEXTS["train"]], data.get(EXTERNAL_CONTEXT)
    return RecordedRun(
        run_id=run.info.run_id,
        name=run.info.run_name,
        status=run.info.status,
        experiment=experiment,
        config=yaml.safe_load(paths[CONFIG].read_text()),
        fingerprint=trained["fingerprint"],
        split_hash=trained["split_hash"],
        external={second["name"]: second["fingerprint"]} if second else {},
        converted_from=run.data.tags.get("converted_from"),
        checkpoint=paths[CHECKPOINT],
        split_file=paths[SPLIT],
    )


def fetch_files(client: MlflowClient, run_id: str, names: Sequence[str], folder: Path) -> dict[str, Path]:
    """Fetch files of a run: name to local copy.

    Raises:
        QanaError: the run left no such files; all are named.
    """
    present = {item.path for item in client.list_artifacts(run_id)}
    missing = [name for name in names if name not in present]
    if missing:
        raise QanaError(
            f"run {run_id[:8]} left no {listed(missing)}",
            where=f"run = {run_id}",
            allowed="a run whose network was converted, with its report",
            fix=f"convert it first: qana convert run={run_id[:8]} conversion=akd1000",
        )
    return {name: Path(client.download_artifacts(run_id, name, str(folder))) for name in names}


def find_run(client: MlflowClient, reference: str, store: str) -> tuple[Run, str]:
    """The only run whose id begins with `reference`, and the name of its experiment.

    Raises:
        QanaError: no such run, or several.
    """
    experiments = client.search_experiments(max_results=MAX_EXPERIMENTS)
    names = {each.experiment_id: each.name for each in experiments}
    found = _search(client, list(names), reference, ViewType.ACTIVE_ONLY)
    if len(found) > 1:
        shown = [_described(run) for run in found[:MATCHES_SHOWN]]
        more = "at least " if len(found) > MATCHES_SHOWN else ""
        raise QanaError(
            f"{more}{len(shown)} runs have an id that begins with {reference}: {listed(shown)}",
            where=f"run = {reference}, {store}",
            allowed="the id of one run, or a beginning that no other has",
            fix="type more of the id",
        )
    if not found:
        raise _no_such_run(client, list(names), reference, store)
    return found[0], names[found[0].info.experiment_id]


def _search(client: MlflowClient, experiments: Sequence[str], reference: str, view: int) -> list[Run]:
    if not reference or not set(reference) <= HEX:
        return []  # anything else would be a pattern of the query
    return list(
        client.search_runs(
            list(experiments),
            filter_string=f"attributes.run_id LIKE '{reference}%'",
            run_view_type=view,
            max_results=MATCHES_SHOWN + 1,
        )
    )


def _no_such_run(client: MlflowClient, experiments: list[str], reference: str, store: str) -> QanaError:
    deleted = _search(client, experiments, reference, ViewType.DELETED_ONLY)
    latest = client.search_runs(experiments, max_results=MATCHES_SHOWN) if experiments else []
    fix = "take the id from the MLflow UI, or name its store with tracking.root=... or tracking=server"
    if deleted:
        fix = f"restore it: mlflow runs restore --run-id {deleted[0].info.run_id}"
    return QanaError(
        f"there is no run {reference!r} in the store" + ("; it was deleted" if deleted else ""),
        where=f"run = {reference}, {store}",
        allowed="the id of a run, or its beginning; the latest are "
        + (listed([_described(run) for run in latest]) or "none: the store is empty"),
        fix=fix,
    )


def _described(run: Run) -> str:
    return f"{run.info.run_id} ({run.info.run_name}, {run.info.status})"


def _require_files(client: MlflowClient, run: Run, reference: str) -> None:
    present = {item.path for item in client.list_artifacts(run.info.run_id)}
    missing = [name for name in FILES if name not in present]
    if missing:
        reason = run.data.tags.get("failure")
        ended = f"it ended as {run.info.status}" + (f": {reason}" if reason else "")
        raise QanaError(
            f"run {run.info.run_id} ({run.info.run_name}) left no {listed(missing)}; {ended}",
            where=f"run = {reference}, artifacts at {run.info.artifact_uri}",
            allowed="a run that was trained to its end, so that its files are with it",
            fix="name another run, or train again: qana run ...",
        )


def _data(run: Run, reference: str) -> dict[str, dict[str, Any]]:
    """What the run entered about its data: context (``training``, ...) to name, fingerprint and more."""
    found = {
        tag.value: {"name": made.dataset.name, **json.loads(made.dataset.profile or "{}")}
        for made in (run.inputs.dataset_inputs if run.inputs else ())
        for tag in made.tags
        if tag.key == MLFLOW_DATASET_CONTEXT
    }
    if not {"fingerprint", "split_hash"} <= set(found.get(CONTEXTS["train"], {})):
        raise QanaError(
            f"run {run.info.run_id} does not say which data it learned from",
            where=f"run = {reference}",
            allowed="a run with dataset inputs, which `qana run` enters before it trains",
            fix="train again: qana run ...",
        )
    return found
