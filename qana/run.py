"""One experiment as a readable sentence. The only function that sees the composed config."""

from __future__ import annotations

import json
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities import rank_zero_only

from qana.callback import ConversionEvaluation, RunContext
from qana.console import console
from qana.conversion.rehearsal import rehearse
from qana.end_of_run import run_info, write_provenance
from qana.evaluation import print_summary, write_data_files
from qana.provenance import package_versions
from qana.tracking.start_tags import start_tags
from qana.tracking.sweep import parent_run_id
from qana.training import float_phase, teacher
from qana.training.earlier_run import require_same_split
from qana.training.kept_teachers import keep_teachers, teacher_tags

# Constructor arguments that come from the stages before, and so must not stand in a YAML file.
SUPPLIED: dict[str, set[str]] = {"backbone": {"num_classes"}}


def run(cfg: DictConfig) -> dict[str, Any]:
    """Run one experiment: data, network, training, conversion, measurements, report.

    Args:
        cfg: composed and checked config.

    Returns:
        The report, as in report.json.
    """
    started_s, started = time.monotonic(), datetime.now(timezone.utc).isoformat(timespec="seconds")
    config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    console.rule(f"[bold]{config['name']}[/bold]")

    float_phase.require_same_float_phase(config)
    teacher.require_teacher(config)
    training = instantiate(cfg.training)
    training.seed_everything()
    source = instantiate(cfg.dataset)
    network = instantiate(cfg.backbone, num_classes=len(source.classes))
    quantization = instantiate(cfg.quantization)
    target = instantiate(cfg.conversion)
    evaluation = instantiate(cfg.evaluation)
    tracking = instantiate(cfg.tracking)
    incremental = instantiate(cfg.incremental) if cfg.get("incremental") else None
    target.check(network, quantization, source.image_shape)  # illegal for the chip? fail now
    if incremental is not None:
        incremental.check(target, quantization)
    splits = source.load()
    require_same_split(config["training"].get("float_from"), splits.split_hash, float_phase.KEY)
    taught_by = teacher.load_teacher(config, len(source.classes), splits.split_hash)
    rank_zero_only(rehearse)(target, network, quantization, source.image_shape)
    shown = splits if incremental is None else incremental.training_splits(splits)

    folder = Path(config["output_dir"])
    write_provenance(folder, config)
    write_data_files(folder, splits)
    keep_teachers(config, folder)
    tags = {**start_tags(config, HydraConfig.get().overrides.task), **teacher_tags(config)}
    with tracking.run(config["name"], params=config, tags=tags, parent=parent_run_id()) as tracked:
        tracked.log_datasets(splits)
        end_of_run = ConversionEvaluation(
            target=target,
            evaluation=evaluation,
            tracked=tracked,
            splits=splits,
            float_network=network,
            quantization=quantization,
            context=RunContext(
                folder, config, run_info(tracked.run_id, config, started), started_s, package_versions()
            ),
            incremental=incremental,
        )
        training.fit(
            network,
            shown,
            quantization=quantization,
            callbacks=[end_of_run],
            logger=tracked.lightning_logger(),
            folder=folder,
            teacher=taught_by,
        )
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    print_summary(
        report,
        report_path=folder / "report.html",
        ui_command=tracking.ui_command(),
        ui_page=tracking.ui_page(),
    )
    return report
