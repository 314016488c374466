import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numbered_images import TARGET, image_set, shown, train_batches

from qana.dataset import EpochOrder
from qana.errors import QanaError


def order(sampler, *, seed=0, epochs=200, target=TARGET):
    return EpochOrder(target, sampler=sampler, seed=seed, epochs=epochs)


def counts_of(chosen, epoch):
    """Images of each class in one epoch."""
    chosen.set_epoch(epoch)
    return np.bincount(TARGET[chosen.indices()], minlength=3)


# Class shares by hand from Kang et al. 2020, eq. 1: n**q / sum(n**q) for n = 90, 9, 4.
@pytest.mark.parametrize(
    ("sampler", "shares"),
    [
        ("instance", [90 / 103, 9 / 103, 4 / 103]),
        ("square_root", [9.48683 / 14.48683, 3 / 14.48683, 2 / 14.48683]),
        (0.75, [0.784544, 0.139514, 0.075942]),
        ("class_balanced", [1 / 3, 1 / 3, 1 / 3]),
    ],
)
def test_sampler_gives_each_class_its_share(sampler, shares):
    chosen = order(sampler)
    assert list(chosen.class_probabilities().values()) == pytest.approx(shares, abs=1e-5)
    counts = np.array([counts_of(chosen, epoch) for epoch in range(200)])
    assert (counts.sum(1) == len(TARGET)).all()
    assert np.abs(counts - len(TARGET) * np.array(shares)).max() < 1.01
    assert counts.mean(0) == pytest.approx(len(TARGET) * np.array(shares), abs=0.15)


# By hand from eq. 2 with T = 4: p(t) = (1 - t/4) n / 103 + t/4 / 3.
@pytest.mark.parametrize(
    ("epoch", "shares"),
    [
        (0, [90 / 103, 9 / 103, 4 / 103]),
        (1, [0.738673, 0.148867, 0.112460]),
        (2, [0.603560, 0.210356, 0.186084]),
        (4, [1 / 3, 1 / 3, 1 / 3]),
    ],
)
def test_progressive_goes_from_instance_to_class_balanced(epoch, shares):
    chosen = order("progressive", epochs=5)
    counts = counts_of(chosen, epoch)
    assert list(chosen.class_probabilities().values()) == pytest.approx(shares, abs=1e-5)
    assert np.abs(counts - len(TARGET) * np.array(shares)).max() < 1.01


@pytest.mark.parametrize(("epochs", "epoch"), [(1, 0), (2, 1), (7, 6), (7, 9)])
def test_the_last_progressive_epoch_is_class_balanced_and_so_is_any_beyond(epochs, epoch):
    chosen = order("progressive", epochs=epochs)
    chosen.set_epoch(epoch)
    assert list(chosen.class_probabilities().values()) == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize("sampler", ["class_balanced", "square_root", "progressive", 0.75])
def test_within_a_class_no_image_is_repeated_before_all_were_shown(sampler):
    chosen = order(sampler, epochs=3)
    chosen.set_epoch(1)
    shows = np.bincount(chosen.indices(), minlength=len(TARGET))
    for label in range(3):
        times = shows[label == TARGET]
        assert times.max() - times.min() <= 1


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=60),
    st.sampled_from(["instance", "class_balanced", "square_root", "progressive", 0.0, 0.3, 1.0]),
    st.integers(0, 2**31),
    st.integers(0, 9),
)
def test_every_epoch_has_as_many_images_as_the_set_and_repeats_with_its_seed(labels, sampler, seed, epoch):
    target = np.array(labels)
    one, two = (order(sampler, seed=seed, epochs=8, target=target) for _ in range(2))
    for chosen in (one, two):
        chosen.set_epoch(epoch)
    assert len(one.indices()) == len(target)
    assert np.array_equal(one.indices(), two.indices())
    assert sum(one.class_probabilities().values()) == pytest.approx(1)


def test_the_epochs_of_the_batches_move_the_progressive_sampler():
    source = image_set()
    batches = train_batches(source, sampler="progressive", epochs=3)
    naevi = [np.mean(source.target[shown(batches)] == 0) for _ in range(3)]
    # 100 of 103 images are shown: a class may differ by the three left out.
    assert naevi == pytest.approx([0.874, 0.604, 0.333], abs=0.04)


def test_a_sampler_that_does_not_exist_is_refused():
    with pytest.raises(QanaError, match="no sampler is called 'sqrt'"):
        order("sqrt")
    with pytest.raises(QanaError, match="an order over 0 epochs"):
        order("instance", epochs=0)
