"""``hydra/sweeper=optuna``: lets Optuna choose the jobs of a sweep.

A sweeper of our own: hydra-optuna-sweeper needs Optuna 2 of 2022, and can neither prune nor repeat seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from qana.command.ending import Failure, Pruned
from qana.command.jobs import Jobs
from qana.command.search_space import SearchSpace, read_space
from qana.command.trial_score import mean_score, read_score
from qana.console import console
from qana.search.epoch_scores import STUDY_VARIABLE, TRIAL_VARIABLE
from qana.search.results import best_trials, write_best, write_trials
from qana.search.settings import Direction, Pruner, Sampler, SearchSettings, read_objectives
from qana.search.study import open_study

if TYPE_CHECKING:
    import optuna


class OptunaSweeper(Sweeper):
    """Asks Optuna for trials, runs each once per seed, and tells it the mean of what their reports say.

    A trial whose job fails is FAIL, one that is given up PRUNED; the search goes on. With a pruner the seeds
    of a trial run one after the other, and the first decides whether it is given up.

    Args:
        n_trials: see `SearchSettings`, as all the others.
        n_jobs: see above.
        seeds: see above; null for the config's own seed.
        objectives: list of one path and direction each.
        sampler: see above.
        sampler_seed: see above.
        pruner: see above.
    """

    def __init__(
        self,
        *,
        n_trials: int,
        n_jobs: int,
        seeds: Sequence[int] | None,
        objectives: Sequence[Mapping[str, Direction]],
        sampler: Sampler,
        sampler_seed: int,
        pruner: Pruner,
    ) -> None:
        self._settings = SearchSettings(
            n_trials=n_trials,
            n_jobs=n_jobs,
            seeds=tuple(seeds or ()),
            objectives=read_objectives(
                OmegaConf.to_container(objectives) if OmegaConf.is_config(objectives) else objectives  # type: ignore[arg-type]
            ),
            sampler=sampler,
            sampler_seed=sampler_seed,
            pruner=pruner,
        )
        self._next_job = 0

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        assert isinstance(task_function, Jobs)
        self._config, self._context, self._jobs = config, hydra_context, task_function
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        settings = self._settings
        self._space = read_space(self._context.config_loader, arguments, settings.seeds)
        self._folder = Path(str(self._config.hydra.sweep.dir)).resolve()
        self._folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self._config, self._folder / "multirun.yaml")
        study = open_study(self._journal, settings)
        self._jobs.files += [self._folder / "optuna.csv", self._folder / "best.yaml"]
        distributions = self._space.distributions()
        for start in range(0, settings.n_trials, settings.n_jobs):
            size = min(settings.n_jobs, settings.n_trials - start)
            self._run(study, [study.ask(distributions) for _ in range(size)])
            self._write(study)
        _show(best_trials(study, list(settings.objectives)), self._folder / "best.yaml")

    @property
    def _journal(self) -> Path:
        return self._folder / "optuna.journal"

    def _write(self, study: optuna.Study) -> None:
        """After every batch, so that a search that is stopped leaves what it has found."""
        names = list(self._settings.objectives)
        write_trials(study, names, self._folder / "optuna.csv")
        write_best(best_trials(study, names), self._settings.objectives, self._folder / "best.yaml")

    def _run(self, study: optuna.Study, trials: Sequence[optuna.Trial]) -> None:
        """Run a batch of trials, and tell the study how each ended."""
        from optuna.trial import TrialState

        seeds: list[int | None] = [*self._settings.seeds] or [None]
        rounds = [[seed] for seed in seeds] if self._settings.prunes else [seeds]
        ended: dict[int, list[Any]] = {trial.number: [] for trial in trials}
        going = list(trials)
        for turn, seeds_now in enumerate(rounds):
            pairs = [(trial, seed) for trial in going for seed in seeds_now]
            returned = self._launch([self._job(trial, seed, watched=turn == 0) for trial, seed in pairs])
            for (trial, _), end in zip(pairs, returned, strict=True):
                ended[trial.number].append(end)
            going = [trial for trial in going if not _stopped(ended[trial.number])]
        for trial in trials:
            ends = ended[trial.number]
            if any(isinstance(end, Failure) for end in ends):
                study.tell(trial, state=TrialState.FAIL)
            elif _stopped(ends):
                study.tell(trial, state=TrialState.PRUNED)
            else:
                study.tell(trial, mean_score(ends))

    def _launch(self, jobs: list[list[str]]) -> list[Any]:
        """Run jobs; of each its scores, or how else it ended."""
        if not jobs:
            return []
        returned = self._launcher.launch(jobs, initial_job_idx=self._next_job)
        self._next_job += len(jobs)
        ends = [each.return_value for each in returned]
        paths = list(self._settings.objectives)
        return [end if _stopped([end]) else read_score(end, paths) for end in ends]

    def _job(self, trial: optuna.Trial, seed: int | None, *, watched: bool) -> list[str]:
        space: SearchSpace = self._space
        overrides = space.job(trial.params)
        if seed is not None:
            overrides.append(f"seed={seed}")
        if self._settings.prunes and watched:
            journal = str(self._journal).replace("\\", "\\\\").replace("'", "\\'")
            overrides.append(f"+hydra.job.env_set.{STUDY_VARIABLE}='{journal}'")
            overrides.append(f"+hydra.job.env_set.{TRIAL_VARIABLE}='{trial.number}'")
        return overrides


def _stopped(ends: Sequence[Any]) -> bool:
    return any(isinstance(end, Failure | Pruned) for end in ends)


def _show(best: Sequence[Mapping[str, Any]], path: Path) -> None:
    title = "best trial" if len(best) == 1 else f"{len(best)} trials that no other beats"
    console.print(
        f"{title} (in {path})" if best else "no trial was finished", highlight=False, soft_wrap=True
    )
    for each in best:
        values = ", ".join(f"{path} {value:.4f}" for path, value in each["values"].items())
        text = f"  {each['number']}: {values}: {' '.join(each['overrides'])}"
        console.print(text, highlight=False, soft_wrap=True)
