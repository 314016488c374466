"""One run that goes on learning: the program of the past, its very data, new sessions, a new run below it."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from qana.command.learn_table import print_learned, print_sessions
from qana.command.reconvert import require_same_data
from qana.command.require_chip import require_chip
from qana.console import console
from qana.dataset.splits import Splits
from qana.end_of_run import RunContext, finished, log_sessions, run_info, write_provenance
from qana.evaluation import (
    check_report,
    read_predictions,
    write_data_files,
    write_figures,
    write_html,
    write_report_json,
)
from qana.incremental import Incremental, program_features, sdk_of
from qana.incremental.edge_program import EdgeProgram
from qana.incremental.study import SideFeatures
from qana.provenance import config_hash, package_versions
from qana.tracking.recorded_run import RecordedRun
from qana.tracking.report_metrics import report_metrics
from qana.tracking.sweep import parent_run_id

PROGRAM, REPORT, PREDICTIONS = "model.fbz", "report.json", "predictions.parquet"


@dataclass(frozen=True)
class Resumed:
    """A run of the past, ready to go on.

    Attributes:
        incremental: method and protocol.
        splits: its data.
        files: its program, report and predictions.
        edge: the SDK.
        base_only: whether its network was trained on the base session of the protocol alone.
    """

    incremental: Incremental
    splits: Splits
    files: Mapping[str, Path]
    edge: EdgeProgram
    base_only: bool

    def features(self) -> SideFeatures:
        """What reaches the last layer of the program on all images."""
        return program_features(self.splits, self.files[PROGRAM], self.edge)


def learn_sessions(record: RecordedRun, cfg: DictConfig) -> dict[str, Any]:
    """Let the program of a run learn, measure it, and keep every version.

    Args:
        record: the run.
        cfg: its config with the changes, checked.

    Returns:
        The report: that of the run, with a new `run` and `incremental`.
    """
    started_s, started = time.monotonic(), datetime.now(timezone.utc).isoformat(timespec="seconds")
    config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    console.rule(f"[bold]{config['name']}[/bold]")
    evaluation, tracking, folder = (
        instantiate(cfg.evaluation),
        instantiate(cfg.tracking),
        Path(config["output_dir"]),
    )
    with tempfile.TemporaryDirectory(prefix="qana-learning-") as scratch:
        # Nothing is left behind by what cannot work: the files of the run come to its folder afterwards.
        resumed = _resume(record, cfg, Path(scratch), log_folder=folder)
        write_provenance(folder, config)
        shutil.copy2(resumed.files[PROGRAM], folder / PROGRAM)
        write_data_files(folder, resumed.splits)
        return _track(record, resumed, evaluation, tracking, RunStart(folder, config, started_s, started))


@dataclass(frozen=True)
class RunStart:
    """A new run before it has an id: its folder, resolved config and start."""

    folder: Path
    config: dict[str, Any]
    started_s: float
    started: str


def _track(
    record: RecordedRun, resumed: Resumed, evaluation: Any, tracking: Any, start: RunStart
) -> dict[str, Any]:
    """Learn inside a tracked run below the old one."""
    folder, config = start.folder, start.config
    tags = {"overrides": " ".join(HydraConfig.get().overrides.task), "config_hash": config_hash(config)}
    tags |= {"learned_from": record.run_id}
    parent = parent_run_id() or record.run_id
    with tracking.run(config["name"], params=config, tags=tags, parent=parent) as tracked:
        tracked.log_datasets(resumed.splits)
        context = RunContext(
            folder,
            config,
            run_info(tracked.run_id, config, start.started),
            start.started_s,
            package_versions(),
        )
        try:
            report = _learn(resumed, evaluation, context)
            tracked.log_metrics(report_metrics({"incremental": report["incremental"]}))
            log_sessions(tracked, report["incremental"])
        finally:
            tracked.log_artifacts(folder)
    print_learned(report["incremental"])
    console.print(f"{'report':<11}{folder / 'report.html'}", highlight=False, soft_wrap=True)
    return report


def foretell(record: RecordedRun, cfg: DictConfig) -> None:
    """Say what every session would show and change; nothing is kept.

    Args:
        record: the run.
        cfg: its config with the changes, checked.
    """
    with tempfile.TemporaryDirectory(prefix="qana-learning-") as scratch:
        resumed = _resume(record, cfg, Path(scratch), log_folder=Path(scratch))
        learned = resumed.incremental.study(resumed.splits, resumed.features(), base_only=resumed.base_only)
    print_sessions(learned, resumed.splits)


def _resume(record: RecordedRun, cfg: DictConfig, folder: Path, *, log_folder: Path) -> Resumed:
    """Find everything that learning needs; refuses what cannot work before any image is decoded."""
    source = instantiate(cfg.dataset, split_file=str(record.split_file))
    target, quantization = require_chip(instantiate(cfg.conversion)), instantiate(cfg.quantization)
    incremental: Incremental = instantiate(cfg.incremental)
    incremental.check(target, quantization)
    names = (PROGRAM, REPORT, PREDICTIONS)
    files = instantiate(cfg.tracking).files(record.run_id, names, folder)
    splits = source.load()
    require_same_data(splits, record)
    return Resumed(
        incremental, splits, files, sdk_of(target, log_folder), _base_only(record, incremental, splits)
    )


def _base_only(record: RecordedRun, incremental: Incremental, splits: Splits) -> bool:
    """Whether training saw nothing but images of the base session that is learned from now."""
    recorded = record.config.get("incremental")
    if not recorded or not recorded["train_on_base"]:
        return False
    trained_on = instantiate(recorded["protocol"]).base_rows(splits.train, splits.train)
    return set(trained_on.tolist()) <= set(
        incremental.protocol.base_rows(splits.train, splits.train).tolist()
    )


def _learn(resumed: Resumed, evaluation: Any, context: RunContext) -> dict[str, Any]:
    """Learn, measure, and write the report and its page."""
    folder, splits, files = context.folder, resumed.splits, resumed.files
    parent = json.loads(files[REPORT].read_text())
    learned = resumed.incremental.study(splits, resumed.features(), base_only=resumed.base_only)
    resumed.incremental.deploy(learned, splits, program=files[PROGRAM], edge=resumed.edge, folder=folder)
    energy = (parent["cost"] or {}).get("energy_mj")
    block = evaluation.measure_learning(learned, splits, energy_mj=energy)
    report = {**parent, "run": asdict(finished(context)), "incremental": block}
    check_report(report)
    said = read_predictions(files[PREDICTIONS])
    write_report_json(folder / REPORT, report)
    write_html(folder / "report.html", report, said, layers=(), versions=context.versions)
    write_figures(folder, report, said)
    return report
