import copy
import math

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from small_networks import small_network
from small_training import fit, quantization, splits, training
from torch import nn

from qana.training import Classifier
from qana.training.loss import CrossEntropy


def classifier(network, **changes):
    arguments = dict(
        num_classes=3,
        phase="float",
        progress=(0.0, 1.0),
        loss=CrossEntropy(label_smoothing=0.0),
        augmentation=None,
        learning_rate=0.1,
        weight_decay=0.01,
        schedule="cosine",
        warmup_share=0.3,
        gate_annealing=(0.4, 0.8),
        seed=0,
    )
    return Classifier(network, **{**arguments, **changes})


class LossByHand(pl.Callback):
    """Computes the loss of every step a second time, from a copy of the network before it."""

    def __init__(self, smoothing):
        self.smoothing, self.pairs = smoothing, []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.network = copy.deepcopy(pl_module.network)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        images, target = batch
        with torch.no_grad():
            logits = self.network(images).double().numpy()
        log_shares = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        wanted = np.full(logits.shape, self.smoothing / 3)
        wanted[np.arange(len(target)), target] += 1 - self.smoothing
        self.pairs.append((outputs["loss"].item(), -(wanted * log_shares).sum(1).mean()))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_the_cross_entropy_with_smoothed_labels(tmp_path, smoothing):
    watch = LossByHand(smoothing)
    fit(tmp_path, float_epochs=1, loss=CrossEntropy(label_smoothing=smoothing), callbacks=[watch])
    assert len(watch.pairs) == 5
    for loss, expected in watch.pairs:
        assert loss == pytest.approx(expected, rel=1e-5)


def test_the_cosine_schedule_falls_from_the_rate_to_nothing(tmp_path):
    _, witness = fit(tmp_path, schedule="cosine", float_epochs=4, learning_rate=0.01)
    expected = [0.01 * 0.5 * (1 + math.cos(math.pi * step / 20)) for step in range(20)]
    assert witness.rates == pytest.approx(expected)


def test_one_cycle_rises_for_its_warm_up_and_falls_behind_it(tmp_path):
    _, witness = fit(tmp_path, schedule="one_cycle", float_epochs=4, warmup_share=0.3, learning_rate=0.01)
    rates = np.array(witness.rates)
    assert rates.argmax() == 5  # 0.3 * 20 steps, counted from 0
    assert rates[5] == pytest.approx(0.01)
    assert rates[0] == pytest.approx(0.01 / 25)  # Smith 2018, as torch sets it
    assert np.all(np.diff(rates[:6]) > 0)
    assert np.all(np.diff(rates[5:]) < 0)


def test_the_quantized_phase_has_its_own_rate(tmp_path):
    _, witness = fit(
        tmp_path,
        scheme=quantization(),
        schedule="cosine",
        float_epochs=1,
        quantized_epochs=1,
        quantized_learning_rate=0.003,
    )
    assert witness.rates[0] == pytest.approx(0.003)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_the_training_with_its_place(tmp_path, value):
    chosen, network = training(), small_network("qana", "separable")
    nn.init.constant_(network.blocks[-1].conv.bias, value)
    logger = pl.loggers.CSVLogger(tmp_path)
    with pytest.raises(FloatingPointError, match=r"float loss is nan in epoch 0, step 0; lower the learning"):
        chosen.fit(network, splits(), quantization=None, callbacks=[], logger=logger, folder=tmp_path)


@pytest.mark.parametrize("phase", ["float", "quantized"])
def test_the_monitored_metric_is_the_macro_f1_of_the_phase(phase):
    assert classifier(nn.Linear(1, 1), phase=phase).monitored == f"{phase}/val_macro_f1"
