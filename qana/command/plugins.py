"""The launchers and sweepers of this package, as Hydra finds its plugins."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.plugin import Plugin
from omegaconf import DictConfig, OmegaConf

from qana.command.joblib_launcher import JoblibLauncher
from qana.command.optuna_sweeper import OptunaSweeper
from qana.command.ray_launcher import RayLauncher
from qana.command.submitit_launcher import SubmititLauncher
from qana.errors import QanaError

# Hydra takes plugins from the package `hydra_plugins` only; that is how the YAML files name ours.
PREFIX = "hydra_plugins."
# Each with the optional package that it needs.
NEEDS: Mapping[type[Plugin], str] = {
    JoblibLauncher: "joblib",
    RayLauncher: "ray",
    SubmititLauncher: "submitit",
    OptunaSweeper: "optuna",
}


def register_plugins() -> None:
    """Tell Hydra of them; a class keeps its true module, so that it can be pickled."""
    known = Plugins.instance().class_name_to_class
    known.update({_target(plugin): plugin for plugin in NEEDS})


def check_plugins(base: DictConfig) -> None:
    """Build the chosen launcher and sweeper once, before anything starts.

    Raises:
        QanaError: the package of one is not installed, or an argument cannot be used.
    """
    for kind in ("launcher", "sweeper"):
        arguments: dict[str, Any] = OmegaConf.to_container(base.hydra[kind], resolve=True)  # type: ignore[assignment]
        target = arguments.pop("_target_")
        choice = f"hydra/{kind}={base.hydra.runtime.choices.get(f'hydra/{kind}')}"
        for plugin, package in NEEDS.items():
            if target == _target(plugin):
                _require(package, choice)
                _build(plugin, arguments, kind)


def _target(plugin: type[Plugin]) -> str:
    return f"{PREFIX}{plugin.__module__}.{plugin.__qualname__}"


def _require(package: str, choice: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise QanaError(
            f"{choice} needs the package {package}, which is not installed",
            where=choice,
            allowed="hydra/launcher=basic and hydra/sweeper=basic, which need nothing more",
            fix="pip install 'qana[sweep]'",
        )


def _build(plugin: type[Plugin], arguments: Mapping[str, Any], kind: str) -> None:
    try:
        plugin(**arguments)
    except TypeError as error:
        raise QanaError(
            f"{plugin.__name__}: {error}",
            where=f"hydra.{kind}",
            allowed=f"the keys of conf/hydra/{kind}",
            fix=f"see qana run --cfg hydra hydra/{kind}=...",
        ) from error
