"""Runs in a store as `qana run` leaves them, without the time that training takes."""

import time
from contextlib import chdir
from pathlib import Path
from typing import Any

import torch
from empty_store import make_store
from hydra.utils import instantiate
from omegaconf import OmegaConf
from small_networks import settled

from qana.command.composition import compose_all, job_config, parse_arguments
from qana.conversion import NoTarget
from qana.end_of_run import EndOfRun, RunContext, run_info, write_provenance
from qana.evaluation import write_data_files
from qana.quantization import fold

SMALL = [
    "dataset.images=105",
    "dataset.image_size=32",
    "evaluation.bootstrap_samples=100",
    "evaluation.host_runs=1",
    "evaluation.host_warmup=0",
]
AKIDANET = [
    "backbone=akidanet",
    "backbone.stem_channels=4",
    "backbone.conv_widths=[8,8]",
    "backbone.separable_widths=[8,12]",
]
# Which arithmetic and form a run without a chip follows.
V1 = ["conversion=none", "conversion.form=separable", "conversion.generation=1", "quantization=w4a4"]


def record_run(folder: Path, *overrides: str) -> str:
    """Make one run below `folder` and return its id; its network has settled norms instead of a training."""
    make_store(folder)
    with chdir(folder):
        composition = compose_all(parse_arguments([*SMALL, *overrides]))
        with job_config(composition.jobs[0], 0) as cfg:
            OmegaConf.update(cfg, "output_dir", str(folder / "trained"))
            config: Any = OmegaConf.to_container(cfg, resolve=True)
            return _record(cfg, config)


def _record(cfg: Any, config: dict[str, Any]) -> str:
    torch.manual_seed(0)
    source, quantization = instantiate(cfg.dataset), instantiate(cfg.quantization)
    splits = source.load()
    network = instantiate(cfg.backbone, num_classes=len(source.classes))
    images = torch.from_numpy(splits.train.images[:32]).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        network.blocks[-1].conv.weight.mul_(5.0)  # logits that tell images apart
    network = settled(network, images=images)
    trained = network if quantization is None else quantization.apply(network, images).eval()
    target, folder = instantiate(cfg.conversion), Path(config["output_dir"])
    assert isinstance(target, NoTarget)
    write_provenance(folder, config)
    write_data_files(folder, splits)
    with instantiate(cfg.tracking).run(config["name"], params=config, tags={}) as tracked:
        tracked.log_datasets(splits)
        info = run_info(tracked.run_id, config, "2026-01-01T00:00:00+00:00")
        EndOfRun(
            target=target,
            evaluation=instantiate(cfg.evaluation),
            tracked=tracked,
            splits=splits,
            quantization=quantization,
            context=RunContext(folder, config, info, time.monotonic(), {}),
        ).finish(trained, fold(network))
    return tracked.run_id
