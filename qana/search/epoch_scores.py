"""Inside a run of a search: tells the study how each epoch went, and gives a run up that lags behind."""

from __future__ import annotations

import os
from pathlib import Path

from qana.errors import PrunedError
from qana.search.study import join_study

# Environment variables, because a launcher may start the job in another process.
STUDY_VARIABLE, TRIAL_VARIABLE = "QANA_STUDY", "QANA_TRIAL"


def report_epoch(score: float) -> None:
    """Tell the study the validation score of the epoch that has just ended; does nothing outside a search.

    Epochs count on from the float phase to the quantized one.

    Args:
        score: the higher the better.

    Raises:
        PrunedError: the study gives this run up.
    """
    if STUDY_VARIABLE not in os.environ:
        return
    study = join_study(Path(os.environ[STUDY_VARIABLE]))
    number, storage = int(os.environ[TRIAL_VARIABLE]), study._storage
    trial_id = storage.get_trial_id_from_study_id_trial_number(study._study_id, number)
    epoch = len(storage.get_trial(trial_id).intermediate_values)
    storage.set_trial_intermediate_value(trial_id, epoch, score)
    if study.pruner.prune(study, storage.get_trial(trial_id)):
        raise PrunedError(f"trial {number} is given up after epoch {epoch} with {score:.4f}")
