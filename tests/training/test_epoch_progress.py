import io
from types import SimpleNamespace

import pytest
from rich.console import Console
from small_networks import small_network
from small_training import fit, splits, training
from torch import nn

import qana.training.epoch_progress as module
from qana.training.epoch_progress import EpochProgress


@pytest.fixture
def shown(monkeypatch):
    """The text that the bars leave on a terminal."""
    text = io.StringIO()
    monkeypatch.setattr(module, "console", Console(file=text, width=140, force_terminal=False))
    return text


def test_the_bar_counts_all_steps_of_a_phase_and_shows_the_best_score(tmp_path, shown):
    _, witness = fit(tmp_path, float_epochs=3)
    (line,) = shown.getvalue().strip().splitlines()
    assert line.startswith("train float network")
    assert "15/15" in line
    assert f"val macro F1 {witness.scores[-1]:.3f} (best {max(witness.scores):.3f})" in line


def test_the_bar_is_taken_down_when_training_fails(tmp_path, shown):
    network = small_network("qana", "separable")
    nn.init.constant_(network.blocks[-1].conv.bias, float("nan"))
    with pytest.raises(FloatingPointError, match="loss is nan"):
        training().fit(network, splits(), quantization=None, callbacks=[], logger=False, folder=tmp_path)
    assert "0/15" in shown.getvalue()
    again = EpochProgress("second", "m")
    again.on_train_start(SimpleNamespace(is_global_zero=True, estimated_stepping_batches=1), None)
    again.on_train_end(None, None)  # rich refuses a second live display while one is up
    assert "second" in shown.getvalue()


def test_only_the_first_process_shows_a_bar(shown):
    bar = EpochProgress("train", "m")
    bar.on_train_start(SimpleNamespace(is_global_zero=False), None)
    bar.on_train_batch_end()
    bar.on_train_end(None, None)
    assert shown.getvalue() == ""
