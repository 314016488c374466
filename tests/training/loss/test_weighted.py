import math

import numpy as np
import pytest
import torch
from loss_examples import COUNTS, SHARES, TARGET, expectation, one_hot, probabilities, ready, smoothed, value
from sklearn.utils.class_weight import compute_class_weight

from qana.training.loss import Weighted


def test_mean_weight_over_the_training_images_is_1():
    labels = np.repeat(np.arange(3), COUNTS)
    weights = ready(Weighted(label_smoothing=0.0)).weights.numpy()
    assert weights[labels].mean() == pytest.approx(1)


def test_weights_are_the_balanced_ones_of_scikit_learn():
    labels = np.repeat(np.arange(3), COUNTS)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(ready(Weighted(label_smoothing=0.0)).weights.numpy(), expected, rtol=1e-6)


def test_an_image_of_a_class_three_times_as_rare_counts_three_times():
    common, rare = (
        value(Weighted(label_smoothing=0.0), np.zeros((1, 2)), [label], counts=[30, 10]) for label in (0, 1)
    )
    assert common == pytest.approx(40 / (2 * 30) * math.log(2))
    assert rare == pytest.approx(3 * common)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("target", [TARGET, SHARES], ids=["labels", "shares"])
def test_equals_the_calculation_by_hand(target, smoothing):
    shares = one_hot(target) if target.ndim == 1 else target
    weights = np.array([200 / (3 * 160), 200 / (3 * 30), 200 / (3 * 10)])
    expected = expectation(-weights * np.log(probabilities()), smoothed(shares, smoothing))
    assert value(Weighted(label_smoothing=smoothing), target=target) == pytest.approx(expected, rel=1e-5)


def test_a_class_without_images_has_no_weight_and_the_others_keep_their_mean():
    weights = ready(Weighted(label_smoothing=0.0), np.array([30, 0, 10])).weights
    torch.testing.assert_close(weights, torch.tensor([40 / 60, 0.0, 2.0]))
