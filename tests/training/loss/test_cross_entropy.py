import math

import numpy as np
import pytest
import torch
from loss_examples import LOGITS, SHARES, TARGET, expectation, one_hot, probabilities, smoothed, value

from qana.training.loss import CrossEntropy


def test_of_even_logits_is_the_logarithm_of_the_number_of_classes():
    assert value(CrossEntropy(label_smoothing=0.0), np.zeros((2, 4)), [0, 3]) == pytest.approx(math.log(4))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("target", [TARGET, SHARES], ids=["labels", "shares"])
def test_equals_the_calculation_by_hand(target, smoothing):
    shares = one_hot(target) if target.ndim == 1 else target
    expected = expectation(-np.log(probabilities()), smoothed(shares, smoothing))
    loss = CrossEntropy(label_smoothing=smoothing)
    assert value(loss, target=target) == pytest.approx(expected, rel=1e-5)


def test_is_to_the_last_bit_what_torch_calculates():
    logits, target = torch.tensor(LOGITS, dtype=torch.float32), torch.tensor(TARGET)
    expected = torch.nn.functional.cross_entropy(logits, target, label_smoothing=0.05)
    assert torch.equal(CrossEntropy(label_smoothing=0.05)(logits, target, 0.0), expected)


def test_does_not_look_at_the_class_counts():
    loss = CrossEntropy(label_smoothing=0.1)
    assert value(loss, counts=np.array([1, 1, 1])) == value(loss, counts=np.array([900, 3, 0]))
