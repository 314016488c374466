import numpy as np
import pytest
import torch
from augmentation_settings import augmented, random_images
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from qana.dataset.augmentation.light import shades_of_gray_gains
from qana.dataset.pixels.shades_of_gray import shades_of_gray


def neutral_by_hand(image):
    """One (3, H, W) uint8 image under neutral light: Finlayson and Trezzi 2004, in float64."""
    levels = image.astype(np.float64)
    light = np.array([np.mean(channel**6) ** (1 / 6) for channel in levels])
    light /= np.sqrt((light**2).sum())
    light[light == 0] = 1  # a black channel stays black
    return levels / (light * np.sqrt(3))[:, None, None]


def test_light_jitter_keeps_the_colour_and_colour_jitter_does_not():
    images = torch.full((300, 3, 2, 2), 100)
    light = augmented(images, light_jitter=0.2)[:, :, 0, 0]
    assert torch.equal(light[:, 0], light[:, 1])
    assert torch.equal(light[:, 0], light[:, 2])
    assert light.min() >= 80
    assert light.max() <= 120
    assert light.min() < 85
    assert light.max() > 115
    colour = augmented(images, colour_jitter=0.2)[:, :, 0, 0]
    assert not torch.equal(colour[:, 0], colour[:, 1])
    assert abs(np.corrcoef(colour.T.numpy())[0, 1]) < 0.2


def test_contrast_jitter_stretches_about_the_mean_grey():
    levels = torch.tensor([90, 110]).repeat(3, 2, 1)  # (3, 2, 2) with a mean of 100
    changed = augmented(levels.repeat(400, 1, 1, 1), contrast_jitter=0.5)
    assert torch.equal(changed[..., 0] + changed[..., 1], torch.full((400, 3, 2), 200.0))
    half_range = (changed[..., 1] - changed[..., 0]).flatten(1) / 2
    assert torch.equal(half_range, half_range[:, :1].expand(-1, 6))
    assert 5 <= half_range.min() < 6
    assert 14 < half_range.max() <= 15


def test_light_beyond_the_last_level_is_cut_off():
    images = torch.full((50, 3, 2, 2), 250)
    assert augmented(images, light_jitter=0.5).max() == 255


@pytest.mark.parametrize(("height", "width"), [(9, 9), (5, 14)])
def test_colour_constancy_equals_the_formula_image_by_image(height, width):
    images = random_images(20, height, width)
    images[:10] //= torch.tensor([1, 2, 4], dtype=torch.uint8)[None, :, None, None]  # a warm light
    changed = augmented(images, colour_constancy=1.0).numpy()
    for image, result in zip(images.numpy(), changed, strict=True):
        expected = np.clip(neutral_by_hand(image), 0, 255)
        # Half a level of rounding, and float32.
        assert np.abs(result - expected).max() <= 0.5 + 1e-3


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(0.3, 1), st.floats(0.3, 1))
def test_neutral_light_has_the_same_sixth_power_mean_in_all_channels(seed, green, blue):
    rng = np.random.default_rng(seed)
    images = torch.from_numpy(rng.uniform(1, 255, (2, 3, 8, 8))).float()
    images *= torch.tensor([1, green, blue])[None, :, None, None]
    neutral = images * shades_of_gray_gains(images)
    light = (neutral.double() ** 6).mean((2, 3)) ** (1 / 6)
    assert light.numpy() == pytest.approx(np.repeat(light[:, :1].numpy(), 3, axis=1), rel=1e-4)


def test_a_neutral_image_stays_as_it_is_and_a_black_channel_black():
    grey = random_images(1)[:, :1].repeat(1, 3, 1, 1)
    images = torch.cat([grey, torch.zeros_like(grey)])
    assert torch.equal(augmented(images, colour_constancy=1.0), images.float())
    no_blue = random_images(1)
    no_blue[:, 2] = 0
    (changed,) = augmented(no_blue, colour_constancy=1.0).numpy()
    assert not changed[2].any()
    assert np.abs(changed - np.clip(neutral_by_hand(no_blue[0].numpy()), 0, 255)).max() <= 0.5 + 1e-3


def test_colour_constancy_agrees_with_that_of_the_decoded_images():
    images = random_images(20, 9, 7)
    images[:, 2] //= 2
    changed = augmented(images, colour_constancy=1.0)
    for image, result in zip(images.numpy(), changed.numpy(), strict=True):
        decoded = np.asarray(shades_of_gray(Image.fromarray(image.transpose(1, 2, 0)))).transpose(2, 0, 1)
        # Computed in float32 and float64: a level on the edge of rounding may differ.
        difference = np.abs(decoded - result)
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.01


def test_colour_constancy_takes_its_share_of_the_images():
    images = random_images(1000, 4, 4)
    images[:, 0] //= 4
    changed = augmented(images, colour_constancy=0.3)
    share = (changed != images).flatten(1).any(1).float().mean()
    assert float(share) == pytest.approx(0.3, abs=0.075)  # 5 standard deviations


def test_a_batch_gets_the_gains_of_its_images_one_by_one():
    images = random_images(16, 9, 7).float()
    one_by_one = torch.cat([shades_of_gray_gains(image[None]) for image in images])
    assert shades_of_gray_gains(images).numpy() == pytest.approx(one_by_one.numpy(), rel=1e-6)
