import numpy as np
import pytest
import torch
from numbered_images import TARGET, image_set, shown, train_batches

from qana.dataset import Augmentation, EpochOrder, EvalBatches
from qana.errors import QanaError


def test_a_batch_holds_channels_first_levels_and_its_own_labels():
    source = image_set()
    for images, target in train_batches(source):
        assert images.shape == (10, 3, 4, 6)
        assert (images.dtype, target.dtype) == (torch.float32, torch.int64)
        assert images.is_contiguous()
        assert target.tolist() == source.target[images[:, 0, 0, 0].int().numpy()].tolist()


def test_an_epoch_shows_no_image_twice_and_leaves_out_the_tail():
    batches = train_batches(image_set())
    rows = shown(batches)
    assert len(batches) == 10
    assert len(rows) == len(set(rows)) == 100


def test_epochs_differ_and_a_second_run_repeats_them():
    first, second = train_batches(image_set(), seed=3), train_batches(image_set(), seed=3)
    epochs = [shown(first) for _ in range(3)]
    assert epochs[0] != epochs[1] != epochs[2]
    assert epochs == [shown(second) for _ in range(3)]
    assert epochs[0] != shown(train_batches(image_set(), seed=4))


def test_augmentation_repeats_with_the_seed_and_changes_with_the_epoch():
    chosen = Augmentation(
        flip=True, quarter_turns=False, max_shift=1, scale_jitter=0.0, light_jitter=0.5, colour_jitter=0.0
    )
    one, two = (train_batches(image_set(), augmentation=chosen) for _ in range(2))
    first = [images for images, _ in one]
    assert all(torch.equal(a, b) for a, (b, _) in zip(first, two, strict=True))
    assert not all(torch.equal(a, b) for a, (b, _) in zip(first, one, strict=True))


def test_an_iterator_that_is_never_used_costs_no_epoch():
    used, unused = train_batches(image_set()), train_batches(image_set())
    iter(unused)
    assert shown(used) == shown(unused)


def test_fewer_images_than_a_batch_make_one_smaller_batch():
    (batch,) = train_batches(image_set(4))
    assert len(batch[1]) == 4


@pytest.mark.parametrize(("count", "sizes"), [(25, [9, 8, 8]), (20, [10, 10]), (3, [3])])
def test_evaluation_shows_every_image_once_in_order(count, sizes):
    batches = EvalBatches(image_set(count), 10)
    assert shown(batches) == list(range(count))
    assert [len(target) for _, target in batches] == sizes
    assert len(batches) == len(sizes)


# Class shares by hand from Kang et al. 2020, eq. 1: n**q / sum(n**q) for n = 90, 9, 4.
@pytest.mark.parametrize(
    ("sampler", "shares"),
    [
        ("instance", [90 / 103, 9 / 103, 4 / 103]),
        ("sqrt", [9.48683 / 14.48683, 3 / 14.48683, 2 / 14.48683]),
        ("balanced", [1 / 3, 1 / 3, 1 / 3]),
    ],
)
def test_sampler_gives_each_class_its_share(sampler, shares):
    order = EpochOrder(TARGET, sampler=sampler, seed=0)
    assert list(order.class_probabilities().values()) == pytest.approx(shares, abs=1e-5)
    counts = []
    for epoch in range(200):
        order.set_epoch(epoch)
        counts.append(np.bincount(TARGET[order.indices()], minlength=3))
    assert all(count.sum() == len(TARGET) for count in counts)
    assert np.abs(np.array(counts) - len(TARGET) * np.array(shares)).max() < 1.01
    assert np.mean(counts, axis=0) == pytest.approx(len(TARGET) * np.array(shares), abs=0.15)


def test_within_a_class_no_image_is_repeated_before_all_were_shown():
    order = EpochOrder(TARGET, sampler="balanced", seed=0)
    shows = np.bincount(order.indices(), minlength=len(TARGET))
    for label in range(3):
        times = shows[label == TARGET]
        assert times.max() - times.min() <= 1


def test_unknown_sampler_and_batch_size_are_refused():
    with pytest.raises(QanaError, match="allowed: instance, sqrt, balanced"):
        train_batches(image_set(), sampler="cube")
    with pytest.raises(QanaError, match=r"training\.batch_size = 0"):
        train_batches(image_set(), batch_size=0)
    with pytest.raises(QanaError, match=r"training\.batch_size = -1"):
        EvalBatches(image_set(), -1)
