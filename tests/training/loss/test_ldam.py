import math

import numpy as np
import pytest
import torch
from loss_examples import LOGITS, SHARES, TARGET, expectation, one_hot, ready, value

from qana.training.loss import Ldam


def ldam(**changes):
    return Ldam(**{**dict(max_margin=0.5, scale=4.0, reweight_from=0.8, beta=0.99), **changes})


def by_hand(weights):
    """(N, C) losses for counts 160, 30 and 10, each label on its own."""
    margins = np.array([0.5 * (10 / 160) ** 0.25, 0.5 * (10 / 30) ** 0.25, 0.5])
    losses = np.empty_like(LOGITS)
    for image, logits in enumerate(LOGITS):
        for label in range(3):
            own = math.exp(4.0 * (logits[label] - margins[label]))
            others = sum(math.exp(4.0 * logits[other]) for other in range(3) if other != label)
            losses[image, label] = -weights[label] * math.log(own / (own + others))
    return losses


def test_margin_halves_where_images_are_sixteen_times_as_many():
    torch.testing.assert_close(ready(ldam(), np.array([16, 1])).margins, torch.tensor([0.25, 0.5]))


def test_even_logits_lose_by_the_scaled_margin():
    loss = value(ldam(scale=2.0), np.zeros((1, 2)), [1], counts=[16, 1])
    assert loss == pytest.approx(math.log(1 + math.exp(2.0 * 0.5)))


@pytest.mark.parametrize("target", [TARGET, SHARES], ids=["labels", "shares"])
def test_equals_the_calculation_by_hand_before_the_weights_come_in(target):
    shares = one_hot(target) if target.ndim == 1 else target
    expected = expectation(by_hand(np.ones(3)), shares)
    assert value(ldam(), target=target, progress=0.79) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("progress", [0.8, 1.0])
@pytest.mark.parametrize("target", [TARGET, SHARES], ids=["labels", "shares"])
def test_equals_the_calculation_by_hand_once_the_weights_are_in(target, progress):
    shares = one_hot(target) if target.ndim == 1 else target
    inverse = np.array([1 / sum(0.99**step for step in range(count)) for count in (160, 30, 10)])
    expected = expectation(by_hand(3 * inverse / inverse.sum()), shares)
    assert value(ldam(), target=target, progress=progress) == pytest.approx(expected, rel=1e-5)


def test_beta_0_means_no_weights():
    assert value(ldam(beta=0.0), progress=1.0) == pytest.approx(value(ldam(), progress=0.0), rel=1e-6)


def test_a_class_without_images_has_the_widest_margin_and_leaves_those_of_the_others():
    margins = ready(ldam(), np.array([16, 0, 1])).margins
    torch.testing.assert_close(margins, torch.tensor([0.25, 0.5, 0.5]))


def test_loss_settles_when_the_weights_come_in():
    assert ldam(reweight_from=0.6).settled_from == 0.6
