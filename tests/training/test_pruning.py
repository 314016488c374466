"""The callback through which a search gives up a run, on a real study."""

from types import SimpleNamespace

import pytest

from qana.errors import PrunedError
from qana.search.settings import SearchSettings
from qana.search.study import open_study
from qana.training.pruning import Pruning

SETTINGS = SearchSettings(10, 1, (), {"stages.akida.macro_f1": "maximize"}, "random", 0, "median")


def train(scores, devices=1):
    callback = Pruning("float/val_macro_f1")
    for score in scores:
        metrics = {"float/val_macro_f1": score}
        callback.on_train_epoch_end(SimpleNamespace(world_size=devices, callback_metrics=metrics), None)


def test_run_that_lags_behind_is_given_up_and_a_good_one_is_not(tmp_path, monkeypatch):
    study = open_study(tmp_path / "journal", SETTINGS)
    monkeypatch.setenv("QANA_STUDY", str(tmp_path / "journal"))
    for _ in range(4):
        trial = study.ask()
        monkeypatch.setenv("QANA_TRIAL", str(trial.number))
        train([0.5, 0.6, 0.7, 0.8])
        study.tell(trial, 0.8)
    monkeypatch.setenv("QANA_TRIAL", str(study.ask().number))
    with pytest.raises(PrunedError, match=r"trial 4 is given up after epoch 2 with 0\.2000"):
        train([0.2] * 4)


def test_nothing_happens_outside_a_search(monkeypatch):
    monkeypatch.delenv("QANA_STUDY", raising=False)
    train([0.1, 0.2])
