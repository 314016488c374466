import math

import numpy as np
import pytest
import torch
from loss_examples import LOGITS, SHARES, TARGET, expectation, one_hot, probabilities, smoothed, value

from qana.training.loss import CrossEntropy, Focal


def test_an_image_that_is_right_by_three_quarters_counts_a_sixteenth():
    logits = np.log([[0.75, 0.25]])
    expected = -((1 - 0.75) ** 2) * math.log(0.75)
    assert value(Focal(gamma=2.0, label_smoothing=0.0), logits, [0], counts=[1, 1]) == pytest.approx(expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("target", [TARGET, SHARES], ids=["labels", "shares"])
def test_equals_the_calculation_by_hand(target, gamma, smoothing):
    shares = one_hot(target) if target.ndim == 1 else target
    sure = probabilities()
    expected = expectation(-((1 - sure) ** gamma) * np.log(sure), smoothed(shares, smoothing))
    loss = Focal(gamma=gamma, label_smoothing=smoothing)
    assert value(loss, target=target) == pytest.approx(expected, rel=1e-5)


def test_gamma_0_is_the_cross_entropy():
    plain = value(CrossEntropy(label_smoothing=0.1))
    assert value(Focal(gamma=0.0, label_smoothing=0.1)) == pytest.approx(plain, rel=1e-6)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_slope_is_that_of_finite_differences(gamma):
    loss = Focal(gamma=gamma, label_smoothing=0.1)
    logits = torch.tensor(LOGITS, requires_grad=True)
    assert torch.autograd.gradcheck(lambda given: loss(given, torch.tensor(TARGET), 0.0), logits)
