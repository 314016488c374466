"""Composes every job of a command before the first starts: a wrong word costs seconds and leaves no files.

Hydra composes again when it launches. It offers no public way to compose what a command line *would* run, so
this uses the parts that ``hydra.main`` itself is made of (pinned below 1.4 in pyproject.toml).
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from hydra import version
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

import qana
from qana.command.override_faults import compose, find_override_faults, swept, unreadable_overrides
from qana.command.search_space import read_space
from qana.errors import QanaError
from qana.schema.faults import as_error

CONFIG_NAME = "config"
_HYDRA_ERRORS = (HydraException, OmegaConfBaseException, YAMLError, OSError, ValueError)


@dataclass(frozen=True)
class Composition:
    """What a command line would run.

    Attributes:
        base: the config without its sweeps, with Hydra's node.
        jobs: one config per job, with Hydra's node; of a search, some that stand for all.
        multirun: whether the jobs belong to a sweep.
    """

    base: DictConfig
    jobs: tuple[DictConfig, ...]
    multirun: bool


def config_directory() -> Path:
    """Where the YAML files are: inside the installed package, or beside it in a checkout."""
    package = Path(qana.__file__).resolve().parent
    return package / "conf" if (package / "conf").is_dir() else package.parent / "conf"


def parse_arguments(arguments: Sequence[str]) -> Namespace:
    """Read Hydra's flags and the overrides.

    Raises:
        QanaError: a flag that Hydra does not know, or an override that cannot be read.
    """
    parser = get_args_parser()

    def refuse(message: str) -> NoReturn:
        raise QanaError(
            message,
            where=f"qana run {' '.join(arguments)}",
            allowed="overrides (group=choice, key=value) and Hydra's flags",
            fix="see qana run --help and qana run --hydra-help",
        )

    parser.error = refuse  # type: ignore[method-assign]
    parsed = parser.parse_args(arguments)
    if faults := unreadable_overrides(parsed.overrides):
        raise as_error(faults)
    return parsed


def compose_all(args: Namespace) -> Composition:
    """Compose every job that `args` asks for. Nothing is written.

    Raises:
        QanaError: an unknown group, choice or key, or anything else that Hydra refuses.
    """
    with _hydra(args) as loader, hydra_errors_explained():
        overrides = list(args.overrides)
        try:
            base = loader.load_configuration(
                args.config_name or CONFIG_NAME,
                overrides,
                run_mode=RunMode.MULTIRUN,
                validate_sweep_overrides=False,
            )
        except _HYDRA_ERRORS:
            _explain(loader, args, [overrides])
            raise
        multirun = args.multirun or base.hydra.mode == RunMode.MULTIRUN
        if not multirun and (faults := swept(overrides)):
            raise as_error(faults)
        per_job = _split(loader, base, overrides) if multirun else [overrides]
        return Composition(base, tuple(_jobs(loader, args, per_job)), multirun)


def is_search(base: DictConfig) -> bool:
    """Whether the jobs of the sweep are chosen while it goes on."""
    return str(base.hydra.sweeper["_target_"]).endswith(".OptunaSweeper")


@contextmanager
def job_config(job: DictConfig, index: int) -> Iterator[DictConfig]:
    """Give the config of one composed job as its task would see it, with Hydra's resolvers in place."""
    # Hydra locks its own node when it takes the config, so a job that was looked at once is locked there.
    with read_write(job), open_dict(job), read_write(job.hydra):
        job.hydra.job.num, job.hydra.job.id = index, str(index)
        job.hydra.runtime.output_dir = os.path.abspath("outputs")  # the true one is made at launch
        task = job.copy()
        del task["hydra"]
    HydraConfig.instance().set_config(job)
    try:
        yield task
    finally:
        HydraConfig.instance().cfg = None


@contextmanager
def hydra_errors_explained() -> Iterator[None]:
    """Turn whatever Hydra or OmegaConf refuses inside the block into a user error."""
    try:
        yield
    except _HYDRA_ERRORS as error:
        text = " ".join(line.strip() for line in str(error).splitlines() if line.strip())
        raise QanaError(
            text or type(error).__name__,
            where="the overrides on the command line, or the YAML files they select",
            allowed="group=choice, key=value, +key=value for a key that is not there, ~key to delete one",
            fix="see qana run --help for the choices and qana run --cfg job for the keys",
        ) from error


@contextmanager
def _hydra(args: Namespace) -> Iterator[Any]:
    """A config loader that sees the same folders as `hydra.main` will."""
    version.setbase("1.3")
    search_path = create_config_search_path(str(args.config_path or config_directory()))
    if args.config_dir is not None:
        folder = Path(args.config_dir).resolve()
        if not folder.is_dir():
            raise QanaError(
                f"there is no config folder {folder}",
                where=f"--config-dir {args.config_dir}",
                allowed="a folder with YAML files below group names, such as dataset/mine.yaml",
                fix="correct the path",
            )
        search_path.prepend("command-line", f"file://{folder}", SearchPathQuery(provider="schema", path=None))
    GlobalHydra.instance().clear()
    loader = Hydra.create_main_hydra2("qana", search_path).config_loader
    try:
        yield loader
    finally:
        GlobalHydra.instance().clear()


def _split(loader: Any, base: DictConfig, overrides: list[str]) -> list[list[str]]:
    """The overrides of each job of a sweep; of a search, jobs that have every value once.

    The jobs of a sweeper of somebody else's are known only to itself.
    """
    sweeper = base.hydra.sweeper
    if is_search(base):
        return list(read_space(loader, overrides, sweeper.get("seeds") or ()).checks())
    if not str(sweeper["_target_"]).endswith(BasicSweeper.__name__):
        return []
    params = [f"{key}={value}" for key, value in (sweeper.params or {}).items()]
    parsed = OverridesParser.create(config_loader=loader).parse_overrides([*params, *overrides])
    return [job for batch in BasicSweeper.split_arguments(parsed, None) for job in batch]


def _jobs(loader: Any, args: Namespace, per_job: list[list[str]]) -> list[DictConfig]:
    try:
        return [compose(loader, args.config_name or CONFIG_NAME, overrides) for overrides in per_job]
    except _HYDRA_ERRORS:
        _explain(loader, args, per_job)
        raise


def _explain(loader: Any, args: Namespace, per_job: list[list[str]]) -> None:
    """Raise every fault that can be named; return where Hydra's own words have to do."""
    name = args.config_name or CONFIG_NAME
    faults = [fault for overrides in per_job for fault in find_override_faults(loader, name, overrides)]
    if faults:
        raise as_error(list(dict.fromkeys(faults)))
