"""One re-conversion: the networks of a run, its very data, another target, and the end that every run has."""

from __future__ import annotations

import json
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from qana.command.require_chip import require_conversion
from qana.command.retarget import Route, find_route
from qana.command.trained_network import load_trained
from qana.console import console
from qana.dataset.splits import Splits
from qana.end_of_run import EndOfRun, RunContext, run_info, write_provenance
from qana.errors import QanaError
from qana.evaluation import print_summary, write_data_files
from qana.provenance import package_versions
from qana.tracking.recorded_run import RecordedRun
from qana.tracking.start_tags import start_tags
from qana.tracking.sweep import parent_run_id

SOURCE_FILE = "converted_from.json"


def reconvert(record: RecordedRun, cfg: DictConfig) -> dict[str, Any]:
    """Convert and measure a run of the past; the result is a new run below it.

    Args:
        record: the run.
        cfg: its config with the changes, checked.

    Returns:
        The report, as in report.json.
    """
    started_s, started = time.monotonic(), datetime.now(timezone.utc).isoformat(timespec="seconds")
    config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    console.rule(f"[bold]{config['name']}[/bold]")
    source = instantiate(cfg.dataset, split_file=str(record.split_file))
    target, quantization = require_conversion(instantiate(cfg.conversion)), instantiate(cfg.quantization)
    evaluation, tracking = instantiate(cfg.evaluation), instantiate(cfg.tracking)
    route = find_route(record, load_trained(record, source), quantization, target.form)
    target.check(route.float_network, quantization, source.image_shape)  # before any image is decoded
    console.print(route.text, style="bold", highlight=False)
    splits = source.load()
    require_same_data(splits, record)
    network = route.network(splits, seed=config["seed"])

    folder = Path(config["output_dir"])
    write_provenance(folder, config)
    write_data_files(folder, splits)
    _write_source(folder, record, route)
    tags = start_tags(config, HydraConfig.get().overrides.task)
    tags |= {"converted_from": record.run_id, "conversion_route": route.text}
    parent = parent_run_id() or record.run_id
    with tracking.run(config["name"], params=config, tags=tags, parent=parent) as tracked:
        tracked.log_datasets(splits)
        info = run_info(tracked.run_id, config, started)
        end = EndOfRun(
            target=target,
            evaluation=evaluation,
            tracked=tracked,
            splits=splits,
            quantization=quantization,
            context=RunContext(folder, config, info, started_s, package_versions()),
        )
        report = end.finish(network, route.float_network)
    print_summary(
        report,
        report_path=folder / "report.html",
        ui_command=tracking.ui_command(),
        ui_page=tracking.ui_page(),
    )
    console.print(
        f"{'from':<11}run {record.run_id[:8]} ({record.name}), {route.text}", highlight=False, soft_wrap=True
    )
    return report


def require_same_data(splits: Splits, record: RecordedRun) -> None:
    """Refuse other images, labels or groups than those that the run learned from: scores would mean nothing.

    Raises:
        QanaError: names both fingerprints.
    """
    faults = []
    if splits.fingerprint != record.fingerprint:
        faults.append(f"the fingerprint is {splits.fingerprint[:16]} instead of {record.fingerprint[:16]}")
    if splits.split_hash != record.split_hash:
        faults.append(f"the split is {splits.split_hash[:16]} instead of {record.split_hash[:16]}")
    external = splits.external
    if (
        external is not None
        and record.external.get(external.name, external.fingerprint) != external.fingerprint
    ):
        recorded = record.external[external.name]
        faults.append(f"the second source is {external.fingerprint[:16]} instead of {recorded[:16]}")
    if faults:
        raise QanaError(
            f"the data are not those of run {record.run_id[:8]}: {'; '.join(faults)}",
            where=f"dataset = {splits.name}",
            allowed="the very images, labels and groups that the run learned from",
            fix="give the folder of these data with dataset.root=..., or train on the new ones: qana run",
        )


def _write_source(folder: Path, record: RecordedRun, route: Route) -> None:
    content = {
        "run": record.run_id,
        "name": record.name,
        "route": route.text,
        "requantized": route.requantized,
    }
    (folder / SOURCE_FILE).write_text(json.dumps(content, indent=2) + "\n")
