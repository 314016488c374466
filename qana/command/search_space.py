"""The space of a search, read from Hydra's sweep syntax: choices, ranges and intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep

from qana.errors import QanaError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


@dataclass(frozen=True)
class SearchSpace:
    """What stays and what is searched.

    Attributes:
        fixed: overrides of every trial.
        swept: key to its sweep.
    """

    fixed: tuple[str, ...]
    swept: Mapping[str, Override]

    def distributions(self) -> dict[str, BaseDistribution]:
        """As Optuna draws from it."""
        return {key: _distribution(override) for key, override in self.swept.items()}

    def checks(self) -> Iterator[list[str]]:
        """Overrides of jobs that, taken together, have every choice and both ends of every range."""
        values = {key: _ends(override) for key, override in self.swept.items()}
        first = {key: texts[0] for key, texts in values.items()}
        yield self.job(first)
        for key, texts in values.items():
            yield from (self.job({**first, key: text}) for text in texts[1:])

    def job(self, params: Mapping[str, Any]) -> list[str]:
        """Overrides of a job with these values."""
        return [*self.fixed, *(f"{key}={value}" for key, value in params.items())]


def read_space(loader: Any, overrides: Sequence[str], seeds: Sequence[int]) -> SearchSpace:
    """Part the overrides into what stays and what is searched.

    Args:
        loader: Hydra's config loader.
        overrides: as typed.
        seeds: that the search repeats every trial with.

    Raises:
        QanaError: nothing to search, or the seed is searched or set beside `seeds`.
    """
    parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(overrides))
    swept = {each.get_key_element(): each for each in parsed if each.is_sweep_override()}
    fixed = tuple(str(each.input_line) for each in parsed if not each.is_sweep_override())
    if not swept:
        raise QanaError(
            "the search has no space: no override has several values",
            where=f"qana run -m {' '.join(overrides)}",
            allowed="key=a,b or choice(a,b), range(1,9), interval(0.001,0.1), tag(log,interval(0.001,0.1))",
            fix="add such an override, in quotes: 'training.learning_rate=tag(log,interval(0.001,0.01))'",
        )
    if "seed" in swept or (seeds and any(each.key_or_group == "seed" for each in parsed)):
        raise QanaError(
            "a search repeats its trials over seeds; it does not search among them",
            where=" ".join(text for text in overrides if text.startswith("seed=")),
            allowed="hydra.sweeper.seeds=[0,1,2], or one seed=... and no seeds",
            fix="leave the override of seed out",
        )
    return SearchSpace(fixed, swept)


def _distribution(override: Override) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    sweep = override.value()
    if isinstance(sweep, IntervalSweep):
        low, high, log = sweep.start, sweep.end, "log" in sweep.tags
        if isinstance(low, int) and isinstance(high, int):
            return IntDistribution(low, high, log=log)
        return FloatDistribution(float(low or 0.0), float(high or 0.0), log=log)
    if isinstance(sweep, RangeSweep):
        values: list[Any] = list(override.sweep_iterator())
        if all(isinstance(value, int) for value in values):
            return IntDistribution(min(values), max(values), step=abs(int(sweep.step)))
        return FloatDistribution(min(values), max(values), step=abs(float(sweep.step)))
    return CategoricalDistribution(_ends(override))


def _ends(override: Override) -> list[str]:
    """Every choice as text; of numbers in a row, the first and the last."""
    sweep = override.value()
    if isinstance(sweep, IntervalSweep):
        return [str(sweep.start), str(sweep.end)]
    texts = list(override.sweep_string_iterator())
    return [texts[0], texts[-1]] if isinstance(sweep, RangeSweep) else texts
