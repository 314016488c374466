import numpy as np
import pytest
import torch
from loss_examples import SHARES, TARGET, expectation, one_hot, probabilities, ready, smoothed, value

from qana.training.loss import ClassBalanced, CrossEntropy, Weighted


def weights(beta, counts):
    return ready(ClassBalanced(beta=beta, label_smoothing=0.0), np.array(counts)).weights


def test_weights_follow_the_effective_numbers_of_one_and_two_images():
    # E_1 = 1 and E_2 = 1 + 1/2 at beta = 1/2, so that the weights are as 3 to 2, and they sum to 2.
    torch.testing.assert_close(weights(0.5, [1, 2]), torch.tensor([1.2, 0.8]))


def test_weights_sum_to_the_number_of_classes():
    assert weights(0.99, [160, 30, 10]).sum() == pytest.approx(3)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("target", [TARGET, SHARES], ids=["labels", "shares"])
def test_equals_the_calculation_by_hand(target, smoothing):
    shares = one_hot(target) if target.ndim == 1 else target
    effective = [sum(0.99**step for step in range(count)) for count in (160, 30, 10)]  # the series itself
    inverse = 1 / np.array(effective)
    by_hand = 3 * inverse / inverse.sum()
    expected = expectation(-by_hand * np.log(probabilities()), smoothed(shares, smoothing))
    loss = ClassBalanced(beta=0.99, label_smoothing=smoothing)
    assert value(loss, target=target) == pytest.approx(expected, rel=1e-5)


def test_beta_0_is_the_cross_entropy():
    plain = value(CrossEntropy(label_smoothing=0.1))
    assert value(ClassBalanced(beta=0.0, label_smoothing=0.1)) == pytest.approx(plain, rel=1e-6)


def test_beta_near_1_is_the_inverse_frequency():
    inverse = ready(Weighted(label_smoothing=0.0)).weights
    balanced = weights(1 - 1e-9, [160, 30, 10])
    torch.testing.assert_close(balanced / balanced[0], inverse / inverse[0], rtol=1e-4, atol=0)


def test_a_class_without_images_has_no_weight_and_the_others_sum_to_their_number():
    torch.testing.assert_close(weights(0.5, [1, 0, 2]), torch.tensor([1.2, 0.0, 0.8]))
