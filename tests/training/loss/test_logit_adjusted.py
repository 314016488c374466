import math

import numpy as np
import pytest
from loss_examples import COUNTS, LOGITS, SHARES, TARGET, expectation, one_hot, smoothed, value

from qana.training.loss import CrossEntropy, LogitAdjusted


def test_even_logits_mean_the_prior():
    """With tau = 1 the network that says nothing predicts a class as often as it is common."""
    loss = LogitAdjusted(tau=1.0, label_smoothing=0.0)
    assert value(loss, np.zeros((1, 2)), [1], counts=[30, 10]) == pytest.approx(-math.log(10 / 40))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("tau", [0.5, 1.0])
@pytest.mark.parametrize("target", [TARGET, SHARES], ids=["labels", "shares"])
def test_equals_the_calculation_by_hand(target, tau, smoothing):
    shares = one_hot(target) if target.ndim == 1 else target
    odds = np.exp(LOGITS) * (COUNTS / 200) ** tau  # p_c ~ exp(logit_c) prior_c**tau
    adjusted = odds / odds.sum(1, keepdims=True)
    expected = expectation(-np.log(adjusted), smoothed(shares, smoothing))
    loss = LogitAdjusted(tau=tau, label_smoothing=smoothing)
    assert value(loss, target=target) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("tau", "counts"), [(0.0, COUNTS), (1.0, np.array([20, 20, 20]))])
def test_without_adjustment_it_is_the_cross_entropy(tau, counts):
    plain = value(CrossEntropy(label_smoothing=0.1))
    assert value(LogitAdjusted(tau=tau, label_smoothing=0.1), counts=counts) == pytest.approx(plain, rel=1e-6)


def test_a_class_without_images_has_the_prior_of_one_image():
    none, one = (
        value(LogitAdjusted(tau=1.0, label_smoothing=0.0), np.zeros((1, 3)), [0], counts=counts)
        for counts in ([60, 40, 0], [60, 40, 1])
    )
    assert none == pytest.approx(-math.log(60 / 101))
    assert none == pytest.approx(one)
