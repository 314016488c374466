import re

import numpy as np
import pytest
import torch
from augmentation_settings import NUM_CLASSES, OFF, augment, augmentation, generator, random_images
from hypothesis import given, settings
from hypothesis import strategies as st

from qana.errors import QanaError

EVERYTHING = {
    "flip": True,
    "quarter_turns": True,
    "crop_min_area": 0.5,
    "scale_jitter": 0.1,
    "max_shift": 3,
    "light_jitter": 0.2,
    "colour_jitter": 0.1,
    "contrast_jitter": 0.2,
    "colour_constancy": 0.5,
    "cutout_probability": 0.5,
    "cutout_size": 0.3,
    "mixup_alpha": 0.4,
    "cutmix_alpha": 1.0,
}
SHARE = st.floats(0, 1)
CHOSEN = st.fixed_dictionaries(
    {
        "flip": st.booleans(),
        "quarter_turns": st.booleans(),
        "crop_min_area": st.floats(0.05, 1),
        "scale_jitter": st.floats(0, 0.5),
        "max_shift": st.integers(0, 9),
        "light_jitter": st.floats(0, 0.9),
        "colour_jitter": st.floats(0, 0.9),
        "contrast_jitter": st.floats(0, 0.9),
        "colour_constancy": SHARE,
        "cutout_probability": SHARE,
        "cutout_size": st.floats(0.01, 1),
        "mixup_alpha": st.sampled_from([0.0, 0.2, 1.0, 3.0]),
        "cutmix_alpha": st.sampled_from([0.0, 0.2, 1.0, 3.0]),
    }
)


def test_all_off_returns_the_levels_and_the_target_unchanged():
    images = random_images(height=7, width=9)
    target = torch.arange(64) % NUM_CLASSES
    changed, same = augment(images, target=target)
    assert changed.dtype == torch.float32
    assert torch.equal(changed, images.float())
    assert same is target


@settings(max_examples=60, deadline=None)
@given(CHOSEN, st.integers(0, 1000), st.sampled_from([1, 2, 8]))
def test_output_is_always_whole_levels_of_a_byte_and_a_target_of_shares(chosen, seed, count):
    changed, target = augment(random_images(count), seed, **chosen)
    assert changed.shape == (count, 3, 12, 12)
    assert changed.dtype == torch.float32
    assert torch.equal(changed, changed.round())
    assert changed.min() >= 0
    assert changed.max() <= 255
    if chosen["mixup_alpha"] or chosen["cutmix_alpha"]:
        assert augmentation(**chosen).mixes_targets
        assert (target.dtype, target.shape) == (torch.float32, (count, NUM_CLASSES))
        assert target.min() >= 0
        assert target.sum(1).numpy() == pytest.approx(np.ones(count), abs=1e-6)
    else:
        assert not augmentation(**chosen).mixes_targets
        assert torch.equal(target, torch.arange(count) % NUM_CLASSES)


@settings(max_examples=20, deadline=None)
@given(CHOSEN, st.integers(0, 1000))
def test_same_generator_state_gives_the_same_batch_and_leaves_the_input_alone(chosen, seed):
    images = random_images(8)
    before = images.clone()
    one, two = (augment(images, seed, **chosen) for _ in range(2))
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])
    assert torch.equal(images, before)


def test_another_generator_state_gives_another_batch():
    images = random_images()
    assert not torch.equal(augment(images, 5, **EVERYTHING)[0], augment(images, 6, **EVERYTHING)[0])


def test_a_second_call_goes_on_in_the_draws_of_the_generator():
    chosen, numbers, images = augmentation(**EVERYTHING), generator(), random_images()
    target = torch.zeros(64, dtype=torch.int64)
    one, two = (chosen(images, target, numbers, num_classes=NUM_CLASSES)[0] for _ in range(2))
    assert not torch.equal(one, two)


def test_bytes_in_channels_last_memory_give_the_same_result_as_floats():
    images = random_images()
    stored = images.contiguous(memory_format=torch.channels_last)
    results = [augment(version, **EVERYTHING) for version in (images, images.float(), stored)]
    for changed, target in results[1:]:
        # Another memory layout may sum a mean in another order: a level on the edge of rounding may differ.
        assert (changed - results[0][0]).abs().max() <= 1
        assert ((changed - results[0][0]).abs() > 0).float().mean() < 1e-3
        assert torch.equal(target, results[0][1])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
def test_a_gpu_sees_the_draws_of_the_processor():
    images, target = random_images(), torch.arange(64) % NUM_CLASSES
    chosen = augmentation(**EVERYTHING)
    here, shares = chosen(images, target, generator(), num_classes=NUM_CLASSES)
    there, there_shares = chosen(images.cuda(), target.cuda(), generator(), num_classes=NUM_CLASSES)
    assert there.is_cuda
    assert (there.cpu() - here).abs().max() <= 1
    assert torch.equal(there_shares.cpu(), shares)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("crop_min_area", 0.0),
        ("crop_min_area", 1.1),
        ("scale_jitter", 1.0),
        ("max_shift", -1),
        ("light_jitter", -0.1),
        ("colour_jitter", 2.0),
        ("contrast_jitter", 1.0),
        ("colour_constancy", 1.5),
        ("cutout_probability", -0.5),
        ("cutout_size", 0.0),
        ("mixup_alpha", -1.0),
        ("cutmix_alpha", float("nan")),
    ],
)
def test_settings_out_of_range_name_their_key(name, value):
    with pytest.raises(
        QanaError, match=rf"where:   training\.augmentation\.{name} = {re.escape(str(value))}\n"
    ):
        augmentation(**{name: value})


def test_all_settings_out_of_range_are_named_at_once():
    wrong = {"scale_jitter": 1.0, "colour_constancy": 2.0, "mixup_alpha": -1.0}
    with pytest.raises(QanaError, match=r"cannot use 3 value\(s\)") as caught:
        augmentation(**wrong)
    for name, value in wrong.items():
        assert f"training.augmentation.{name} = {value}" in caught.value.where
        assert f"{name}:" in caught.value.allowed
    assert not any(name in caught.value.where for name in OFF.keys() - wrong.keys())
