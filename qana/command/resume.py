"""``qana run -m ... resume=true``: skips the jobs that are finished already, and runs the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from qana.command.composition import Composition, is_search, job_config
from qana.command.leftovers import remove_leftovers
from qana.console import console
from qana.errors import QanaError
from qana.provenance import config_hash

if TYPE_CHECKING:
    from qana.tracking.earlier import Earlier  # imports MLflow, which only a sound command line needs

KEY = "resume"
ALLOWED = {"true": True, "false": False}


def resume_asked(arguments: Sequence[str]) -> tuple[bool, list[str]]:
    """Whether ``resume=true`` was typed, and the arguments without it, which Hydra would not know.

    Raises:
        QanaError: another value, or no sweep.
    """
    typed = [text for text in arguments if text.partition("=")[0] == KEY and "=" in text]
    rest = [text for text in arguments if text not in typed]
    values = [text.partition("=")[2].lower() for text in typed]
    asked = any(ALLOWED.get(value, False) for value in values)
    sweeps = {"-m", "--multirun"} & set(arguments)
    if any(value not in ALLOWED for value in values) or (asked and not sweeps):
        raise QanaError(
            f"{' '.join(typed)} cannot be followed" + ("" if sweeps else " without a sweep"),
            where=f"qana run {' '.join(arguments)}",
            allowed="resume=true or resume=false, with -m",
            fix="type: qana run -m ... resume=true",
        )
    return asked, rest


def find_earlier(composition: Composition, overrides: Sequence[str]) -> Earlier:
    """Look in the store of a sweep for what is finished of it.

    Raises:
        QanaError: the store cannot be opened, or the sweep is a search.
    """
    if is_search(composition.base):
        raise QanaError(
            "a search cannot be resumed: its jobs follow from the results of those before",
            where="resume=true, hydra/sweeper=optuna",
            allowed="resume=true with hydra/sweeper=basic",
            fix="start the search again; best.yaml and optuna.csv of the stopped one have what it found",
        )
    hashes = []
    for index, job in enumerate(composition.jobs):
        with job_config(job, index) as cfg:
            hashes.append(_hash(cfg))
    tracking = instantiate(OmegaConf.to_container(composition.base.tracking, resolve=True))
    earlier: Earlier = tracking.earlier(" ".join(overrides), hashes)
    done, going = len(earlier.finished), len(earlier.running)
    told = f"resume: {done} of {len(hashes)} jobs are finished"
    console.print(told + (f", {going} run in other processes" if going else ""), highlight=False)
    return earlier


class Skipping:
    """Runs a job unless a run of the very same config is finished, or is going on elsewhere.

    Args:
        task: runs one job from its config.
        earlier: the runs there are.
    """

    def __init__(self, task: Callable[[DictConfig], Any], earlier: Earlier) -> None:
        self._task, self._earlier = task, earlier

    def __call__(self, cfg: DictConfig) -> Any:
        own = _hash(cfg)
        run_id = self._earlier.finished.get(own) or self._earlier.running.get(own)
        if run_id is None:
            return self._task(cfg)
        job = HydraConfig.get()
        state = "finished" if own in self._earlier.finished else "running elsewhere"
        console.print(f"skipped, {state}: {' '.join(job.overrides.task)} (run {run_id[:8]})", highlight=False)
        remove_leftovers(Path(job.runtime.output_dir), job.job.name)
        return None


def _hash(cfg: DictConfig) -> str:
    config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    return config_hash(config)
