"""The Optuna study of a search, in a file that its jobs can open from other processes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qana.search.settings import SearchSettings

if TYPE_CHECKING:
    import optuna

NAME = "qana"
PRUNER_KEY = "pruner"
# Epochs that a run is left alone, and trials that run to their end before any is compared with them.
WARMUP_EPOCHS, STARTUP_TRIALS = 2, 3


def open_study(path: Path, settings: SearchSettings) -> optuna.Study:
    """Make the study of a search in the new file `path`."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=_storage(path),
        study_name=NAME,
        sampler=_sampler(settings),
        pruner=make_pruner(settings.pruner),
        directions=list(settings.objectives.values()),
    )
    study.set_user_attr(PRUNER_KEY, settings.pruner)
    return study


def join_study(path: Path) -> optuna.Study:
    """Open the study of a search that is going on, inside one of its jobs."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.load_study(study_name=NAME, storage=_storage(path))
    study.pruner = make_pruner(study.user_attrs[PRUNER_KEY])
    return study


def make_pruner(name: str) -> optuna.pruners.BasePruner:
    """Build a pruner that judges by the scores of the epochs so far."""
    import optuna

    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=WARMUP_EPOCHS)
    if name == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=WARMUP_EPOCHS)
    return optuna.pruners.NopPruner()


def _storage(path: Path) -> optuna.storages.BaseStorage:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(str(path)))


def _sampler(settings: SearchSettings) -> optuna.samplers.BaseSampler:
    import optuna

    seed = settings.sampler_seed
    if settings.sampler == "nsga2":
        return optuna.samplers.NSGAIISampler(seed=seed)
    if settings.sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    # The trials of one batch are told apart by taking those that still run for bad ones.
    return optuna.samplers.TPESampler(seed=seed, constant_liar=True)
