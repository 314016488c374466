"""What a search is asked for, checked before it starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from qana.errors import QanaError

Sampler = Literal["tpe", "nsga2", "random"]
Pruner = Literal["none", "median", "hyperband"]
Direction = Literal["maximize", "minimize"]


@dataclass(frozen=True)
class SearchSettings:
    """Checked arguments of a search.

    Attributes:
        n_trials: settings to try.
        n_jobs: trials that are handed to the launcher at once; each knows the results of the batches before.
        seeds: every trial runs once with each, and its objective is their mean; empty for the config's own.
        objectives: path in report.json to ``maximize`` or ``minimize``.
        sampler: ``tpe``, ``nsga2`` or ``random``.
        sampler_seed: the same one gives the same trials, as long as their results are the same.
        pruner: ``none``, ``median`` or ``hyperband``: gives a run up whose validation macro F1 lags behind.

    Raises:
        QanaError: a value that cannot be used.
    """

    n_trials: int
    n_jobs: int
    seeds: tuple[int, ...]
    objectives: Mapping[str, Direction]
    sampler: Sampler
    sampler_seed: int
    pruner: Pruner

    def __post_init__(self) -> None:
        for key, fault, allowed in (
            ("n_trials", self.n_trials < 1, "a whole number of at least 1"),
            ("n_jobs", self.n_jobs < 1, "a whole number of at least 1"),
            ("seeds", not _are_different_numbers(self.seeds), "different whole numbers, such as [0,1,2]"),
            ("sampler", self.sampler not in get_args(Sampler), ", ".join(get_args(Sampler))),
            ("pruner", self.pruner not in get_args(Pruner), ", ".join(get_args(Pruner))),
        ):
            if fault:
                raise _refused(key, getattr(self, key), allowed)
        self._check_pruner()

    @property
    def prunes(self) -> bool:
        """Whether runs may be given up."""
        return self.pruner != "none"

    def _check_pruner(self) -> None:
        if self.prunes and list(self.objectives.values()) != ["maximize"]:
            raise QanaError(
                f"pruner={self.pruner} cannot serve these objectives",
                where=f"hydra.sweeper.objectives = {dict(self.objectives)}",
                allowed="with a pruner, one objective that is maximized: a run is given up for its validation"
                " macro F1, and Optuna prunes no study of several objectives",
                fix="hydra.sweeper.pruner=none, or leave one objective",
            )


def read_objectives(given: Sequence[Mapping[str, Direction]]) -> dict[str, Direction]:
    """Join the list of the YAML file, one entry per objective.

    Raises:
        QanaError: none, one that is named twice, or a direction that does not exist.
    """
    pairs = [pair for each in given for pair in each.items()] if _are_mappings(given) else []
    wrong = [direction for _, direction in pairs if direction not in get_args(Direction)]
    if not pairs or wrong or len(dict(pairs)) < len(pairs):
        raise _refused(
            "objectives", given, "[{validation.macro_f1: maximize}, {cost.energy_mj.value: minimize}]"
        )
    return dict(pairs)


def _are_different_numbers(seeds: Sequence[int]) -> bool:
    return all(isinstance(seed, int) for seed in seeds) and len(set(seeds)) == len(seeds)


def _are_mappings(given: Sequence[object]) -> bool:
    return all(isinstance(each, Mapping) for each in given)


def _refused(key: str, value: object, allowed: str) -> QanaError:
    return QanaError(
        f"a search cannot take {key} = {value}",
        where=f"hydra.sweeper.{key} = {value}",
        allowed=allowed,
        fix=f"correct hydra.sweeper.{key}; conf/hydra/sweeper/optuna.yaml explains it",
    )
