from dataclasses import replace

import numpy as np
import pytest
import torch
from numbered_images import image_set, shown, train_batches

from qana.dataset import EvalBatches
from qana.errors import QanaError


@pytest.mark.parametrize("make", [train_batches, lambda source: EvalBatches(source, 10)])
def test_a_batch_holds_bytes_channels_first_and_its_own_labels(make):
    source = image_set()
    for images, target in make(source):
        assert images.shape == (len(target), 3, 4, 6)
        assert (images.dtype, target.dtype) == (torch.uint8, torch.int64)
        assert images.is_contiguous(memory_format=torch.channels_last)
        assert target.tolist() == source.target[images[:, 0, 0, 0].int().numpy()].tolist()


def test_batches_of_a_memory_mapped_file_equal_those_from_memory(tmp_path):
    source = image_set()
    np.save(tmp_path / "images.npy", source.images)
    mapped = replace(source, images=np.load(tmp_path / "images.npy", mmap_mode="r"))
    for (images, target), (others, labels) in zip(train_batches(source), train_batches(mapped), strict=True):
        assert torch.equal(images, others)
        assert torch.equal(target, labels)
        others += 1  # a copy: the file stays as it is
    assert np.array_equal(np.load(tmp_path / "images.npy"), source.images)


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


def test_unknown_sampler_batch_size_and_epochs_are_refused():
    with pytest.raises(QanaError, match="allowed: instance, class_balanced, square_root, progressive"):
        train_batches(image_set(), sampler="cube")
    for power in (-0.1, 1.5, float("nan")):
        with pytest.raises(QanaError, match=f"{power} is no power of the class counts"):
            train_batches(image_set(), sampler=power)
    with pytest.raises(QanaError, match=r"training\.batch_size = 0"):
        train_batches(image_set(), batch_size=0)
    with pytest.raises(QanaError, match=r"quantized_epochs = 0"):
        train_batches(image_set(), epochs=0)
    with pytest.raises(QanaError, match=r"training\.batch_size = -1"):
        EvalBatches(image_set(), -1)
