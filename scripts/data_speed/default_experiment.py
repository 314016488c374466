"""The default experiment's data set and training, as `qana run` would compose them."""

from __future__ import annotations

from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from qana.command.composition import config_directory


def default_config(root: Path, cache_dir: Path | None) -> DictConfig:
    """Compose the default experiment on HAM10000 below `root`."""
    kept = "null" if cache_dir is None else f"'{cache_dir}'"
    overrides = ["dataset=ham10000", f"dataset.root='{root.resolve()}'", f"dataset.cache_dir={kept}"]
    with initialize_config_dir(str(config_directory()), version_base="1.3"):
        return compose("config", overrides)
