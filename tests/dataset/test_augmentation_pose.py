import math

import numpy as np
import pytest
import torch
from augmentation_settings import augmented, generator, random_images
from hypothesis import given, settings
from hypothesis import strategies as st

from qana.dataset.augmentation.geometry import Pose, random_crops, warp
from qana.errors import QanaError


def poses_reached(images, changed, candidates):
    """Index of the candidate pose that each changed image equals."""
    return [
        next(i for i, pose in enumerate(candidates) if torch.equal(pose(image.float()), result))
        for image, result in zip(images, changed, strict=True)
    ]


def test_flips_reach_all_four_mirrors_in_images_that_are_not_square():
    images = random_images(height=6, width=10)
    candidates = [lambda x: x, lambda x: x.flip(1), lambda x: x.flip(2), lambda x: x.flip(1, 2)]
    reached = poses_reached(images, augmented(images, flip=True), candidates)
    assert set(reached) == {0, 1, 2, 3}


@pytest.mark.parametrize("size", [12, 13, 225])
def test_quarter_turns_reach_all_four_directions(size):
    images = random_images(24, size, size)
    candidates = [lambda x, k=k: torch.rot90(x, k, dims=(1, 2)) for k in range(4)]
    reached = poses_reached(images, augmented(images, quarter_turns=True), candidates)
    assert set(reached) == {0, 1, 2, 3}


def test_flips_and_turns_together_reach_the_eight_poses_of_a_square_equally_often():
    images = random_images(800, 5, 5)
    candidates = [
        lambda x, k=k, m=m: torch.rot90(x.flip(2) if m else x, k, dims=(1, 2))
        for k in range(4)
        for m in (0, 1)
    ]
    reached = poses_reached(images, augmented(images, flip=True, quarter_turns=True), candidates)
    # 100 expected; 5 standard deviations of a binomial count are 47.
    assert np.bincount(reached, minlength=8) == pytest.approx(np.full(8, 100), abs=47)


def test_shifts_move_whole_pixels_and_mirror_the_edge():
    images = random_images(height=8, width=10)
    reached = set()
    for image, result in zip(images.numpy(), augmented(images, max_shift=2).numpy(), strict=True):
        padded = np.pad(image, ((0, 0), (2, 2), (2, 2)), mode="symmetric")  # an independent mirror
        matches = [
            (dy, dx)
            for dy in range(5)
            for dx in range(5)
            if np.array_equal(padded[:, dy : dy + 8, dx : dx + 10], result)
        ]
        assert len(matches) == 1
        reached.update(matches)
    assert {dy for dy, _ in reached} == {dx for _, dx in reached} == set(range(5))


def test_scale_jitter_zooms_about_the_middle():
    y, x = np.mgrid[:65, :65]
    ring = (np.hypot(y - 32, x - 32) < 16) * np.uint8(255)
    images = torch.from_numpy(np.broadcast_to(ring, (200, 3, 65, 65)).copy())
    changed = augmented(images, scale_jitter=0.25)
    radius = np.sqrt((changed[:, 0] > 127).sum((1, 2)).numpy() / np.pi)
    assert 16 * 0.73 < radius.min() < 16 * 0.8
    assert 16 * 1.2 < radius.max() < 16 * 1.27


@settings(max_examples=50, deadline=None)
@given(st.floats(0.01, 1), st.integers(0, 1000))
def test_a_crop_lies_inside_the_image_with_an_area_and_a_stretch_in_range(min_area, seed):
    middle, size = (part.numpy().astype(float) for part in random_crops(100, min_area, generator(seed)))
    assert (np.abs(middle) + size).max() <= 1 + 1e-6
    area, stretch = size.prod(1), size[:, 0] / size[:, 1]
    assert area.min() >= min_area - 1e-5
    assert area.max() <= 1 + 1e-6
    assert stretch.min() >= 3 / 4 - 1e-5
    assert stretch.max() <= 4 / 3 + 1e-5


def test_crops_take_every_area_and_reach_the_edges():
    middle, size = (part.numpy() for part in random_crops(2000, 0.2, generator()))
    area = size.prod(1)
    # Uniform from 0.2 to 1: a mean of 0.6, with a standard error of 0.8 / sqrt(12 * 2000) = 0.005.
    assert area.mean() == pytest.approx(0.6, abs=0.025)
    assert area.min() < 0.21
    assert area.max() > 0.99
    for side in (0, 1):
        assert (middle[:, side] - size[:, side]).min() < -0.99
        assert (middle[:, side] + size[:, side]).max() > 0.99


def test_a_crop_reads_only_pixels_inside_its_window():
    # Each image holds its own coordinates, so that the crop tells where it was read.
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(60.0), indexing="ij")
    images = torch.stack([x, y, torch.zeros_like(x)]).repeat(50, 1, 1, 1)
    pose = Pose(flip=False, quarter_turns=False, crop_min_area=0.1, scale_jitter=0.0, max_shift=0)
    windows = pose.windows(50, 40, 60, generator())
    read = warp(images, windows)
    for window, crop in zip(windows.numpy(), read.numpy(), strict=True):
        for channel, pixels in ((0, 60), (1, 40)):
            size, middle = window[channel, channel], window[channel, 2]
            first = (middle - size + 1) / 2 * pixels  # edges of the window, pixels from the image's edge
            last = (middle + size + 1) / 2 * pixels
            assert crop[channel].min() >= first - 0.5 - 1e-3
            assert crop[channel].max() <= last - 0.5 + 1e-3
            # The middle of the first pixel of the result lies half of one of its pixels inside the window.
            expected = np.clip(first + (last - first) / pixels / 2 - 0.5, 0, pixels - 1)
            assert crop[channel].min() == pytest.approx(expected, abs=1e-3)


def test_a_window_of_the_middle_quarter_enlarges_it_bilinearly():
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    window = torch.tensor([[[0.5, 0.0, 0.0], [0.0, 0.5, 0.0]]])
    # By hand: the result's pixels are read at 0.75, 1.25, 1.75 and 2.25 of each axis; level = 4 y + x.
    at = np.array([0.75, 1.25, 1.75, 2.25])
    assert warp(image, window)[0, 0].numpy() == pytest.approx(4 * at[:, None] + at, abs=1e-5)


def test_a_batch_is_warped_like_its_images_one_by_one():
    images = random_images(16).float()
    pose = Pose(flip=True, quarter_turns=True, crop_min_area=0.3, scale_jitter=0.2, max_shift=2)
    windows = pose.windows(16, 12, 12, generator())
    one_by_one = [warp(images[row : row + 1], windows[row : row + 1]) for row in range(16)]
    assert torch.equal(warp(images, windows), torch.cat(one_by_one))


def test_zoom_crop_and_shift_make_one_window_by_hand():
    pose = Pose(flip=False, quarter_turns=False, crop_min_area=0.5, scale_jitter=0.25, max_shift=2)
    window = pose.windows(1, 10, 20, generator(3))[0]
    numbers = generator(3)
    zoom = 0.75 + 0.5 * float(torch.rand(1, generator=numbers))
    middle, size = random_crops(1, 0.5, numbers)
    shift = torch.randint(-2, 3, (1, 2), generator=numbers)[0]
    assert window[0].tolist() == pytest.approx(
        [float(size[0, 0]) / zoom, 0, float(middle[0, 0]) + int(shift[0]) * 2 / 20]
    )
    assert window[1].tolist() == pytest.approx(
        [0, float(size[0, 1]) / zoom, float(middle[0, 1]) + int(shift[1]) * 2 / 10]
    )
    assert math.isclose(float(size.prod()), float(window[0, 0] * window[1, 1]) * zoom**2, rel_tol=1e-5)


def test_quarter_turns_of_oblong_images_are_refused():
    with pytest.raises(QanaError, match="images of 6 x 10 pixels cannot be turned"):
        augmented(random_images(2, 6, 10), quarter_turns=True)
