"""What changes in the course of a training: when, and what stays in the quantized phase."""

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from small_training import (
    fit,
    quantization,
    splits,
    splits_with_few_of_the_last_class,
    splits_without_pattern,
)
from torch.nn import functional

from qana.training.loss import CrossEntropy, Ldam, Loss, Weighted
from qana.training.phase import Phase


class Diary(Loss):
    """A cross-entropy that writes down what it is told."""

    def __init__(self, settled_from=0.0):
        super().__init__()
        self.settled_from, self.progress, self.counts = settled_from, [], []

    def set_class_counts(self, counts):
        self.counts.append(counts.tolist())

    def forward(self, logits, target, progress):
        assert logits.dtype == torch.float32
        self.progress.append(progress)
        return functional.cross_entropy(logits, target)


def test_progress_is_the_share_of_the_float_steps_and_1_in_the_quantized_phase(tmp_path):
    diary = Diary()
    fit(tmp_path, scheme=quantization(), loss=diary, float_epochs=2, quantized_epochs=2)
    steps = 5 * 2  # 40 images in batches of 8
    assert diary.progress == [step / steps for step in range(steps)] + [1.0] * steps


def test_progress_counts_the_steps_of_epochs_that_are_cut_short(tmp_path):
    diary = Diary()
    fit(tmp_path, loss=diary, float_epochs=2, batches_per_epoch=2)
    assert diary.progress == [0.0, 0.25, 0.5, 0.75]


def test_the_loss_is_told_how_many_training_images_each_class_has(tmp_path):
    diary, data = Diary(), splits()
    fit(tmp_path, scheme=quantization(), loss=diary, data=data, float_epochs=1, quantized_epochs=1)
    expected = [int((data.train.target == label).sum()) for label in range(3)]
    assert diary.counts == [expected, expected]


class Weights(pl.Callback):
    """Compares the loss of every step with the one without class weights."""

    def __init__(self, loss):
        self.weighted, original = [], loss.forward

        def watched(logits, target, progress):
            given, plain = (original(logits, target, share) for share in (progress, 0.0))
            self.weighted.append(given.item() != plain.item())
            return given

        loss.forward = watched


def test_deferred_weights_come_in_within_the_float_phase_and_stay(tmp_path):
    loss = Ldam(max_margin=0.5, scale=2.0, reweight_from=0.75, beta=0.99)
    watch = Weights(loss)
    fit(
        tmp_path,
        scheme=quantization(),
        data=splits_with_few_of_the_last_class(4),
        loss=loss,
        float_epochs=4,
        quantized_epochs=1,
    )
    per_epoch = len(watch.weighted) // 5
    assert watch.weighted == [False] * 3 * per_epoch + [True] * 2 * per_epoch


def test_a_phase_does_not_stop_early_before_its_loss_has_settled(tmp_path):
    data = splits_without_pattern()
    _, early = fit(tmp_path / "one", data=data, loss=Diary(), float_epochs=12, patience=1)
    _, late = fit(tmp_path / "two", data=data, loss=Diary(settled_from=0.75), float_epochs=12, patience=1)
    assert len(early.scores) < 9  # or there is nothing to hold back
    assert 9 < len(late.scores) <= 12


def test_a_loss_that_never_changes_stops_early_from_the_first_epoch_on(tmp_path):
    data = splits_without_pattern()
    _, witness = fit(tmp_path, data=data, loss=CrossEntropy(label_smoothing=0.0), float_epochs=40, patience=2)
    best = witness.scores.index(max(witness.scores))
    assert best == len(witness.scores) - 1 - 2


def test_a_progressive_sampler_ends_in_the_float_phase_and_stays_there():
    phases = {"float": (0.0, 1.0), "quantized": (1.0, 1.0)}
    epochs = [
        Phase(name, 6, 0.1, 0.0, "32-true", progress).sampler_epochs for name, progress in phases.items()
    ]
    assert epochs == [6, 1]


def shares(folder, sampler, scheme):
    """Share of each class in every epoch that a callback of the last phase is shown."""

    class Labels(pl.Callback):
        def __init__(self):
            self.epochs = []

        def on_train_epoch_start(self, trainer, pl_module):
            self.epochs.append([])

        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            self.epochs[-1] += batch[1].tolist()

    watch = Labels()
    fit(
        folder,
        data=splits_with_few_of_the_last_class(4),
        sampler=sampler,
        scheme=scheme,
        callbacks=[watch],
        batch_size=5,
        float_epochs=3,
    )
    return [np.bincount(labels, minlength=3) / len(labels) for labels in watch.epochs]


def test_a_progressive_sampler_goes_from_the_images_to_balanced_classes(tmp_path):
    first, _, last = shares(tmp_path, "progressive", None)
    assert first[2] < 0.2
    assert last == pytest.approx([1 / 3] * 3, abs=0.07)  # 30 images


def test_the_quantized_phase_of_a_progressive_sampler_is_balanced_throughout(tmp_path):
    for epoch in shares(tmp_path, "progressive", quantization()):
        assert epoch == pytest.approx([1 / 3] * 3, abs=0.07)


def test_weights_move_to_where_the_network_is(tmp_path):
    loss = Weighted(label_smoothing=0.0)
    _, witness = fit(tmp_path, loss=loss, float_epochs=1)
    assert witness.module.loss is loss
    assert [name for name, _ in witness.module.named_buffers() if name.startswith("loss.")] == [
        "loss.weights"
    ]
