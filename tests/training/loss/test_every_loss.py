import numpy as np
import pytest
import torch
from loss_examples import COUNTS, LOGITS, LOSSES, SHARES, TARGET, one_hot, ready, value

NUMBERS = np.random.default_rng(5)
FAR = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [1e4, 1e4, 1e4], [0.0, 0.0, -1e4]])

pytestmark = pytest.mark.parametrize("name", LOSSES)


@pytest.mark.parametrize("progress", [0.0, 1.0])
def test_a_label_is_the_same_as_all_shares_on_it(name, progress):
    by_label = value(LOSSES[name](), progress=progress)
    by_shares = value(LOSSES[name](), target=one_hot(TARGET), progress=progress)
    assert by_label == pytest.approx(by_shares, rel=1e-6)


@pytest.mark.parametrize("progress", [0.0, 1.0])
def test_a_mixed_label_loses_the_mixture_of_what_its_labels_lose(name, progress):
    one, other = TARGET, np.array([1, 1, 0, 2])
    mixed = 0.3 * one_hot(one) + 0.7 * one_hot(other)
    losses = [value(LOSSES[name](), target=target, progress=progress) for target in (mixed, one, other)]
    assert losses[0] == pytest.approx(0.3 * losses[1] + 0.7 * losses[2], rel=1e-5)


def test_is_the_mean_over_the_images(name):
    one_by_one = [value(LOSSES[name](), LOGITS[[row]], TARGET[[row]], progress=1.0) for row in range(4)]
    assert value(LOSSES[name](), progress=1.0) == pytest.approx(np.mean(one_by_one), rel=1e-5)


def test_does_not_change_when_all_logits_of_an_image_rise(name):
    shifted = LOGITS + np.array([[5.0], [-3.0], [0.5], [20.0]])
    assert value(LOSSES[name](), shifted) == pytest.approx(value(LOSSES[name]()), rel=1e-4)


@pytest.mark.parametrize("counts", [COUNTS, np.array([200, 0, 3]), np.array([0, 0, 1])], ids=str)
@pytest.mark.parametrize("target", [TARGET, SHARES], ids=["labels", "shares"])
@pytest.mark.parametrize("progress", [0.0, 1.0])
def test_value_and_slope_of_far_logits_are_finite(name, counts, target, progress):
    logits = torch.tensor(FAR, dtype=torch.float32, requires_grad=True)
    chosen = torch.as_tensor(target)
    chosen = chosen if chosen.ndim == 1 else chosen.float()
    loss = ready(LOSSES[name](), counts)(logits, chosen, progress)
    (slope,) = torch.autograd.grad(loss, logits)
    assert torch.isfinite(loss)
    assert torch.isfinite(slope).all()


@pytest.mark.parametrize("progress", [0.0, 1.0])
def test_a_step_down_the_slope_loses_less(name, progress):
    logits = torch.tensor(NUMBERS.normal(size=(32, 3)), dtype=torch.float32, requires_grad=True)
    target = torch.tensor(NUMBERS.integers(0, 3, 32))
    loss = ready(LOSSES[name]())
    before = loss(logits, target, progress)
    (slope,) = torch.autograd.grad(before, logits)
    assert loss(logits - 0.1 * slope, target, progress) < before


def test_leaves_nothing_in_a_checkpoint(name):
    assert ready(LOSSES[name]()).state_dict() == {}


def test_class_counts_can_be_told_anew(name):
    loss = ready(LOSSES[name](), np.array([5, 500, 50]))
    assert value(loss, progress=1.0) == value(LOSSES[name](), progress=1.0)
