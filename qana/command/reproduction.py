"""The steps of `qana reproduce`: what differs before the start, and what the numbers say at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich import box
from rich.table import Table

from qana.command.composition import job_config
from qana.comparison.paired import Pair, paired, paired_test
from qana.console import console
from qana.errors import QanaError
from qana.evaluation.predictions import Predictions, read_predictions
from qana.provenance import environment, git_state
from qana.tracking.recorded_run import RecordedRun

EXACT, WITHIN_NOISE, DIFFERENT = "exact", "within noise", "different"
SAMPLES, SEED = 10_000, 0  # of the bootstrap, as in `qana compare`


class LastRun:
    """A task that remembers the report and the folder of the run that it made."""

    def __init__(self, task: Callable[[DictConfig], dict[str, Any]]) -> None:
        self._task = task
        self.report: dict[str, Any] = {}
        self.folder: Path | None = None

    def __call__(self, cfg: DictConfig) -> dict[str, Any]:
        self.report = self._task(cfg)
        self.folder = Path(cfg.output_dir)
        return self.report


@dataclass(frozen=True)
class Agreement:
    """How one stage answered then and now.

    Attributes:
        stage: of the ladder.
        then: macro F1 of the recorded run.
        now: of the new one.
        ci95: of now minus then, lesions drawn with replacement.
        same_class: share of images with the same class.
        max_logit_difference: largest over images and classes.
    """

    stage: str
    then: float
    now: float
    ci95: tuple[float, float]
    same_class: float
    max_logit_difference: float

    @property
    def verdict(self) -> str:
        """``exact``, ``within noise`` or ``different``."""
        if self.max_logit_difference == 0:
            return EXACT
        return WITHIN_NOISE if self.ci95[0] <= 0 <= self.ci95[1] else DIFFERENT


def environment_differences(
    then: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[tuple[str, str, str]]:
    """What is not as it was: (what, then, now), packages first."""
    versions = then.get("versions", {}), now.get("versions", {})
    for name in sorted(set(versions[0]) | set(versions[1])):
        before, after = (str(each.get(name, "absent")) for each in versions)
        if before != after:
            yield name, before, after
    for name in sorted((set(then) | set(now)) - {"versions"}):
        before, after = (str(each.get(name, "not recorded")) for each in (then, now))
        if before != after:
            yield name, before, after


def show_environment(record: RecordedRun, files: Mapping[str, Path]) -> None:
    """Say what differs from the day of the run, commit included."""
    differing = list(
        environment_differences(json.loads(files["environment.json"].read_text()), environment())
    )
    then, (sha, dirty) = json.loads(files["report.json"].read_text())["run"], git_state()
    before, after = _commit(then["git_sha"], then["dirty"]), _commit(sha, dirty)
    if before != after or dirty:
        differing.append(("commit", before, after))
    console.print(f"run {record.run_id[:8]} ({record.name}), seed {record.config['seed']}", highlight=False)
    if not differing:
        console.print("packages, machine and commit are those of the run", highlight=False)
        return
    table = Table(title="what differs from then", box=box.SIMPLE_HEAD, title_justify="left")
    for name in ("what", "then", "now"):
        table.add_column(name, overflow="fold")
    for row in differing:
        table.add_row(*row)
    console.print(table, markup=False)


def _commit(sha: str | None, dirty: bool | None) -> str:
    if sha is None:
        return "not known"
    return f"{sha[:12]}{' with changes' if dirty else ''}"


def require_same_data(job: DictConfig, record: RecordedRun) -> None:
    """Load the data and hold their fingerprint and split against the recorded ones.

    Raises:
        QanaError: they are other data, or another split.
    """
    with job_config(job, 0) as cfg:
        splits = instantiate(cfg.dataset).load()
    pairs = {
        "fingerprint": (record.fingerprint, splits.fingerprint),
        "split": (record.split_hash, splits.split_hash),
    }
    faults = [
        f"the {what} is {now[:16]} instead of {then[:16]}"
        for what, (then, now) in pairs.items()
        if then != now
    ]
    if faults:
        raise QanaError(
            f"the data are not those of run {record.run_id[:8]}: {'; '.join(faults)}",
            where=f"dataset = {splits.name}",
            allowed="the very images, labels and groups that the run learned from",
            fix="give the folder of these data with dataset.root=...",
        )
    console.print("data and split are those of the run", highlight=False)


def agreements(then: Predictions, now: Predictions) -> list[Agreement]:
    """Compare the answers of two runs to the same test images, stage by stage.

    Raises:
        QanaError: the two were not tested on the same images, or have no stage in common.
    """
    found = []
    for stage in [stage for stage in then.stage_logits if stage in now.stage_logits]:
        pair = paired(now, then, stage=stage, names=("now", "then"), data="")
        if pair is not None:
            found.append(_agreement(stage, pair, then, now))
    if not found:
        raise QanaError(
            "the two runs were not tested on the same images",
            where="predictions.parquet",
            allowed="the same test images, targets and stages",
            fix="look at the split of both runs (split.json)",
        )
    return found


def _agreement(stage: str, pair: Pair, then: Predictions, now: Predictions) -> Agreement:
    test = paired_test([pair], samples=SAMPLES, seed=SEED)
    order = np.argsort(then.image_ids), np.argsort(now.image_ids)
    before, after = then.stage_logits[stage][order[0]], now.stage_logits[stage][order[1]]
    f1_now, f1_then = test.scores[0]
    return Agreement(
        stage=stage,
        then=f1_then,
        now=f1_now,
        ci95=test.ci95,
        same_class=float((pair.first == pair.second).mean()),
        max_logit_difference=float(np.abs(before - after).max()),
    )


def overall(found: list[Agreement]) -> str:
    """The verdict of a run: exact where every stage is; else that of its last stage, the deliverable."""
    if all(each.verdict == EXACT for each in found):
        return EXACT
    return WITHIN_NOISE if found[-1].verdict == EXACT else found[-1].verdict


def show_verdict(record: RecordedRun, files: Mapping[str, Path], folder: Path) -> str:
    """Print how every stage compares, and return the verdict of the run."""
    now = read_predictions(folder / "predictions.parquet")
    found = agreements(read_predictions(files["predictions.parquet"]), now)
    table = Table(title=f"run {record.run_id[:8]} then and now", box=box.SIMPLE_HEAD, title_justify="left")
    head = (
        "stage",
        "macro F1 % then",
        "now",
        "now - then, 95 % interval",
        "same class %",
        "max logit difference",
        "",
    )
    for name in head:
        table.add_column(name)
    for each in found:
        low, high = (100 * bound for bound in each.ci95)
        table.add_row(
            each.stage, f"{100 * each.then:.2f}", f"{100 * each.now:.2f}",
            f"{100 * (each.now - each.then):+.2f} [{low:+.2f}, {high:+.2f}]", f"{100 * each.same_class:.2f}",
            f"{each.max_logit_difference:.3g}", each.verdict,
        )  # fmt: skip
    console.print(table, markup=False)
    verdict = overall(found)
    console.print(f"reproduction: {verdict}", style="bold", highlight=False)
    return verdict
